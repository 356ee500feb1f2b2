/** Nothing yet: the engine is installed by `npm test` before vitest starts. */
export default function setup(): void {
  process.env["NO_COLOR"] = "1";
}

import { readFileSync } from "node:fs";
import { join } from "node:path";

/** Path of the package's own folder, with `configs/` and `examples/` in it; the same from `src/` and from `dist/`. */
export const PACKAGE_ROOT = join(import.meta.dirname, "..", "..");

/** Version in package.json, such as "0.1.0"; saved with every checkpoint. */
export function packageVersion(): string {
  const manifest: unknown = JSON.parse(readFileSync(join(PACKAGE_ROOT, "package.json"), "utf8"));
  if (typeof manifest === "object" && manifest !== null && "version" in manifest) return String(manifest.version);
  throw new Error(`internal: ${PACKAGE_ROOT}/package.json has no version`);
}

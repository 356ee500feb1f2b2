// `npm run test:fuzz -- [--cases 100000] [--seed 1]`: test/fuzz with more cases than `npm test` tries. A failure prints the
// seed and the path of fast-check by which it is found again; the file belongs into a test of its reader then.
import { parseArgs } from "node:util";
import { main, tool } from "./steps.mjs";

const { values } = parseArgs({ options: { cases: { type: "string", default: "100000" }, seed: { type: "string", default: "1" } } }); // prettier-ignore
for (const [name, text] of Object.entries(values)) {
  if (!/^\d+$/.test(text)) throw new Error(`--${name}: must be a whole number, got ${text}`);
}
process.env.LIQE_FUZZ_CASES = values.cases;
process.env.LIQE_FUZZ_SEED = values.seed;
const HOUR = 3_600_000; // milliseconds
await main(() => tool("vitest/vitest.mjs", "run", "test/fuzz", "--testTimeout", String(HOUR)));

// `npm run test:chaos -- [--kills 200] [--seed 1] [NAME...]`: test/chaos, or the files of it whose names are given. Runs are
// killed, stopped, cut off and given bad disks and clocks; whatever they are left with must end as the undisturbed one.
import process from "node:process";
import { parseArgs } from "node:util";
import { build, main, tool } from "./steps.mjs";

const options = { kills: { type: "string", default: "200" }, seed: { type: "string", default: "1" } };
const { values, positionals } = parseArgs({ options, allowPositionals: true });
for (const [name, text] of Object.entries(values)) {
  if (!/^\d+$/.test(text)) throw new Error(`--${name}: must be a whole number, got ${text}`);
}
process.env.LIQE_CHAOS_KILLS = values.kills;
process.env.LIQE_CHAOS_SEED = values.seed;
await main(async () => {
  await build();
  await tool("vitest/vitest.mjs", "run", "--config", "vitest.chaos.config.ts", ...positionals);
});

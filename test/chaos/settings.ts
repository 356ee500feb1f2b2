/** Settings of `npm run test:chaos -- [--kills N] [--seed N]`, which scripts/chaos.mjs hands on. */
export const KILLS = Number(process.env["LIQE_CHAOS_KILLS"] ?? 200);
export const SEED = Number(process.env["LIQE_CHAOS_SEED"] ?? 1);

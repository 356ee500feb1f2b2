/**
 * Curves of protocol `liqe` beside SciPy's `curve_fit` from the same start, by kind of list:
 *
 *     python scripts/reference/curve_fit.py --lists 1000 --sizes 6,8,12,20,40,100,125,200,500,1000,2000,5000 > all.json
 *     npm run build && node bench/curveFit.mjs all.json
 */
import { readFile } from "node:fs/promises";
import { performance } from "node:perf_hooks";
import { fitMapping } from "../dist/evaluate/mapping/fitMapping.js";
import { pearson } from "../dist/evaluate/metrics/correlation.js";
import { PROTOCOLS } from "../dist/evaluate/protocols.js";
import { table } from "./measure.mjs";

/** Relative difference of squared errors within which two ends are one minimum, and below which one is above. */
const [SAME, ABOVE] = [1e-7, 1e-9];

const lists = JSON.parse(await readFile(process.argv[2], "utf8"));
const rows = new Map();
const started = performance.now();
for (const { kind, predicted, mos, squaredError, plcc } of lists) {
  const row = rows.get(kind) ?? { lists: 0, none: 0, scipyNone: 0, same: 0, below: 0, above: 0, worst: 0 };
  rows.set(kind, row);
  row.lists++;
  const fit = fitMapping(PROTOCOLS.liqe, predicted, mos);
  if (squaredError === null) row.scipyNone++;
  if (!fit.ok) row.none++;
  if (squaredError === null || !fit.ok) continue;
  const curve = fit.mapping.apply(predicted);
  const own = mos.reduce((sum, value, i) => sum + (value - curve[i]) ** 2, 0);
  const difference = own / squaredError - 1;
  if (difference > ABOVE) row.above++;
  else if (difference < -SAME) row.below++;
  else {
    row.same++;
    row.worst = Math.max(row.worst, Math.abs(pearson(curve, mos).value - plcc));
  }
}
console.log(`${lists.length} lists, ${((performance.now() - started) / 1000).toFixed(0)} s`);
const titles = ["no fit here", "no fit in SciPy", "one minimum", "lower here", "higher here", "PLCC differs at most"];
console.log(
  table(
    ["", "lists", ...titles],
    [...rows].map(([kind, { lists: count, none, scipyNone, same, below, above, worst }]) =>
      [kind, count, none, scipyNone, same, below, above, worst.toExponential(1)].map(String),
    ),
  ),
);

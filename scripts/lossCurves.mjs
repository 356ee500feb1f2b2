/**
 * Training losses of several runs on one picture, an SVG: each epoch's mean loss. A group of runs is named by what stands
 * before the first "=", its runs follow with commas.
 *
 *     npm run build && node scripts/lossCurves.mjs OUT.svg float32=checkpoints/a,checkpoints/b bfloat16=checkpoints/c
 */
import { readFile, writeFile } from "node:fs/promises";
import path from "node:path";
import { lineChart, trainingHistory } from "../dist/evaluate/report/training.js";

const COLORS = { "--ink": "#222", "--muted": "#666", "--line": "#ccc", "--s1": "#1f6fb2", "--s2": "#d1670f", "--s3": "#2b8a3e", "--s4": "#8b3fa8" }; // prettier-ignore

const [out, ...groups] = process.argv.slice(2);
const curves = [];
for (const group of groups) {
  const end = group.indexOf("="); // names of runs may have others
  const name = group.slice(0, end);
  for (const [i, run] of group
    .slice(end + 1)
    .split(",")
    .entries())
    curves.push({ name: `${name}, ${i + 1}`, points: await epochsOf(run) });
}
const { text: figure } = lineChart("mean loss of each epoch", curves, { id: "loss", ordinate: { scale: true } });
const svg = /<svg[\s\S]*<\/svg>/.exec(figure)?.[0] ?? "";
const inked = svg.replace(/var\((--\w+)\)/g, (_, name) => COLORS[name] ?? "#000");
const framed = inked
  .replace("<svg ", '<svg xmlns="http://www.w3.org/2000/svg" font-family="sans-serif" ')
  .replace(/>/, '><rect width="100%" height="100%" fill="#fff"/>');
await writeFile(out, `${framed}\n`);

async function epochsOf(run) {
  const file = path.join(run, "split-1", "metrics.jsonl");
  const history = trainingHistory(await readFile(file, "utf8"));
  if (!history.ok) throw new Error(`${file}: ${history.reason}`);
  return history.epochs.map(({ step, loss }) => [step, loss]);
}

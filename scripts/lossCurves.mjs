/**
 * Training losses of several runs on one picture, an SVG: each epoch's mean loss, one color a group of runs. A group is named
 * by what stands before the "=", its runs follow with commas.
 *
 *     npm run build && node scripts/lossCurves.mjs OUT.svg float32=checkpoints/a,checkpoints/b bfloat16=checkpoints/c
 */
import { readFile, writeFile } from "node:fs/promises";
import path from "node:path";
import { lineChart } from "../dist/evaluate/report/training.js";

const COLORS = { "--ink": "#222", "--muted": "#666", "--line": "#ccc", "--s1": "#1f6fb2", "--s2": "#d1670f", "--s3": "#2b8a3e", "--s4": "#8b3fa8" }; // prettier-ignore

const [out, ...groups] = process.argv.slice(2);
const curves = [];
for (const group of groups) {
  const [name, runs = ""] = group.split("=");
  for (const [i, run] of runs.split(",").entries())
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
  const text = await readFile(path.join(run, "split-1", "metrics.jsonl"), "utf8");
  const lines = text.trimEnd().split("\n").map((line) => JSON.parse(line)); // prettier-ignore
  return lines.filter(({ kind }) => kind === "epoch").map(({ step, loss }) => [step, loss]);
}

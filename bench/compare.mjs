/**
 * Names every ratio of `bench.mjs --json FILE` that got worse by more than 10 %, and ends with code 1 if there is one:
 *
 *     node bench/compare.mjs bench/history/0.1.0.json FILE
 *
 * Ratios that only one of the files has are named and decide nothing; with none in common there is nothing to compare,
 * and the code is 1, too.
 */
import { readFileSync } from "node:fs";
import process from "node:process";

/** Part of a ratio by which it may get worse. */
const TOLERATED = 0.1;

/** Keeps 1 to 1.1, whose difference is a little over 0.1 in float64, from being more than 10 %. */
const ROUNDING = 1e-9;

const [before, after] = process.argv.slice(2).map(readRatios);
if (after === undefined) throw new Error("compare.mjs: two files are needed: node bench/compare.mjs BEFORE AFTER");
if (before.machine !== after.machine) {
  console.log(`other machines, so expect differences: ${before.machine}; ${after.machine}`);
}
for (const { note } of [before, after]) if (note !== "") console.log(`note: ${note}`);
const both = [...before.ratios.keys()].filter((name) => after.ratios.has(name));
const worse = both.filter((name) => isWorse(before.ratios.get(name), after.ratios.get(name)));
for (const name of worse) console.log(`worse: ${name}: ${changeOf(name)}`);
for (const name of before.ratios.keys()) if (!both.includes(name)) console.log(`gone: ${name}`);
for (const name of after.ratios.keys()) if (!both.includes(name)) console.log(`new: ${name}`);
console.log(`${both.length} ratios compared, ${worse.length} worse by more than ${100 * TOLERATED} %`);
if (worse.length > 0 || both.length === 0) process.exitCode = 1;

/** The file's machine and note, and its ratios by name. */
function readRatios(file) {
  const { machine, note, ratios } = JSON.parse(readFileSync(file, "utf8"));
  if (!Array.isArray(ratios)) throw new Error(`${file}: has no ratios; bench.mjs --json FILE writes them`);
  const wrong = ratios.find(({ value, better }) => !(value > 0) || !["higher", "lower"].includes(better));
  if (wrong !== undefined) throw new Error(`${file}: no ratio that can be compared: ${JSON.stringify(wrong)}`);
  return { machine, note, ratios: new Map(ratios.map((ratio) => [ratio.name, ratio])) };
}

function isWorse(old, { name, value, better }) {
  if (old.better !== better) throw new Error(`${name}: better is ${old.better} in one file, ${better} in the other`);
  const change = value / old.value - 1;
  return (better === "lower" ? change : -change) > TOLERATED + ROUNDING;
}

function changeOf(name) {
  const [old, found] = [before, after].map(({ ratios }) => ratios.get(name));
  const percent = Math.abs(100 * (found.value / old.value - 1)).toFixed(0);
  return `${old.value} became ${found.value}, ${percent} % ${found.value > old.value ? "more" : "less"}; ${found.better} is better`;
}

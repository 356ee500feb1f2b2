/** What the benchmarks share: a measured process, medians, differences, a Markdown table. */
import { execFile } from "node:child_process";
import { open } from "node:fs/promises";
import { promisify } from "node:util";
import { writeSafetensors } from "../dist/model/weights/safetensors.js";

const run = promisify(execFile);

/** Runs a program whose last line is JSON: { seconds, peakBytes }. */
export async function measure(program, args) {
  const { stdout } = await run(program, args, { maxBuffer: 2 ** 24 });
  return JSON.parse(stdout.trimEnd().split("\n").at(-1));
}

/** Writes a safetensors file, over one that is there. */
export async function saveTensors(file, tensors) {
  const handle = await open(file, "w");
  try {
    await writeSafetensors(handle, tensors);
  } finally {
    await handle.close();
  }
}

export function median(values) {
  const sorted = values.toSorted((a, b) => a - b);
  const middle = Math.floor(sorted.length / 2);
  return sorted.length % 2 === 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
}

/** Over all tensors of `want`: the largest |got − want|, of each tensor's largest entry where `isRelative`. */
export function largestDifference(got, want, isRelative) {
  let worst = 0;
  for (const [name, { values }] of want) {
    const found = got.get(name)?.values;
    if (found?.length !== values.length) throw new Error(`${name}: ${found?.length} values, not ${values.length}`);
    let difference = 0;
    let largest = 0;
    values.forEach((value, i) => {
      difference = Math.max(difference, Math.abs(found[i] - value));
      largest = Math.max(largest, Math.abs(value));
    });
    worst = Math.max(worst, isRelative ? difference / largest : difference);
  }
  return worst;
}

/** @param rows  strings, as many in each as `head` has */
export function table(head, rows) {
  const widths = head.map((name, col) => Math.max(name.length, ...rows.map((row) => row[col].length)));
  const line = (cells) => `| ${cells.map((cell, col) => cell.padEnd(widths[col])).join(" | ")} |`;
  return [line(head), line(widths.map((width) => "-".repeat(width))), ...rows.map(line)].join("\n");
}

import fc from "fast-check";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { LiqeError } from "../../src/base/errors.js";
import { readWeights } from "../../src/model/weights/readWeights.js";
import { mutated } from "../fuzz/mutations.js";
import { weightFiles } from "../fuzz/readers.js";
import { pythonJson, withoutPython } from "../support/python.js";
import { temporaryFolder } from "../support/runs.js";

const SKIP = withoutPython("torch", "numpy", "safetensors");

/** Files of each kind that are changed and read by both. */
const CASES = Number(process.env["LIQE_FUZZ_CASES"] ?? 1000);
const SEED = Number(process.env["LIQE_FUZZ_SEED"] ?? 1);

/** What a reader in Python gives: tensors of a file as `{name: [shape, values]}`, or why it refuses the file. */
const read = (load: string) => `
import glob, json, math, os
import numpy, torch
from safetensors.torch import load_file
found = {}
for name in sorted(glob.glob("*.case")):
    try:
        tensors = ${load}
        found[name] = {key: [list(t.shape), t.to(torch.float32).flatten().tolist()] for key, t in tensors.items()}
    except Exception as error:
        found[name] = str(error)[:200]
open("found.json", "w").write(json.dumps(found))
print("[]")`;

type Tensors = Readonly<Record<string, readonly [shape: readonly number[], values: readonly number[]]>>;

/** Tensors of a weight file; null where it is refused. */
async function ownTensors(file: string): Promise<Tensors | null> {
  try {
    const weights = await readWeights(file);
    try {
      const all: [string, [readonly number[], number[]]][] = [];
      for (const [name, { shape }] of weights.names) all.push([name, [shape, [...(await weights.read(name))]]]);
      return Object.fromEntries(all);
    } finally {
      await weights.close();
    }
  } catch (error) {
    if (error instanceof LiqeError) return null;
    throw error;
  }
}

describe("changed weight files", () => {
  it.skipIf(SKIP !== "").each([
    ["safetensors", "safetensors", "load_file(name)"],
    ["torch", "pt", 'torch.load(name, weights_only=True, map_location="cpu")'],
  ] as const)(`are refused, or hold what %s reads${SKIP}`, async (kind, end, load) => {
    const folder = temporaryFolder();
    const cases = fc.sample(mutated([(await weightFiles())[kind]]), { numRuns: CASES, seed: SEED });
    cases.forEach((bytes, i) => {
      writeFileSync(join(folder, `${i}.${end}.case`), bytes);
    });
    pythonJson(read(load), folder);
    const found = JSON.parse(
      readFileSync(join(folder, "found.json"), "utf8").replaceAll(/\bNaN\b|-?\bInfinity\b/g, "null"),
    ) as Record<string, Tensors | string>;
    const wrong: string[] = [];
    let alike = 0;
    for (const [name, theirs] of Object.entries(found)) {
      writeFileSync(join(folder, `x.${end}`), readFileSync(join(folder, name)));
      const own = await ownTensors(join(folder, `x.${end}`));
      if (own === null) continue;
      if (JSON.stringify(own) === JSON.stringify(theirs)) alike++;
      else
        wrong.push(
          `${name}: ${typeof theirs === "string" ? theirs : JSON.stringify(theirs).slice(0, 200)} | ours ${JSON.stringify(own).slice(0, 200)}`,
        );
    }
    expect([wrong, alike]).toEqual([[], expect.toSatisfy((count: number) => count > 0)]); // most are refused
  });
});

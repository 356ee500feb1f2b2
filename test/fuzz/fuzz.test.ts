import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { DataError, LiqeError } from "../../src/base/errors.js";
import { temporaryFolder } from "../support/runs.js";
import { mutated } from "./mutations.js";
import { place, type Reader } from "./reader.js";
import { readers } from "./readers.js";

/** Cases of all readers together, and the seed of all choices: `npm run test:fuzz -- --cases N --seed S`. */
const CASES = Number(process.env["LIQE_FUZZ_CASES"] ?? 2000);
const SEED = Number(process.env["LIQE_FUZZ_SEED"] ?? 1);

/** Seconds and bytes of memory that a file of less than a megabyte may take. */
const MOST_SECONDS = 10;
const MOST_BYTES = 1e9;

const all = await readers();

/** A changed file is read, or refused by an error of the program that names it, and soon. */
function isHandled(reader: Reader) {
  const folder = join(temporaryFolder(), "cases");
  return fc.asyncProperty(mutated(reader.files), async (bytes) => {
    const file = place(folder, reader, bytes);
    const before = forgetPeak();
    const start = performance.now();
    try {
      await reader.read(file);
    } catch (error) {
      if (!(error instanceof LiqeError)) throw error;
      expect(error.message).toContain(reader.file);
      expect(error.message).not.toContain("internal");
    }
    expect((performance.now() - start) / 1000).toBeLessThan(MOST_SECONDS);
    if (before !== null) expect(memory("VmHWM") - before).toBeLessThan(MOST_BYTES);
  });
}

/** Bytes of this process's memory that Linux counts under a name: VmRSS now, VmHWM at most since `forgetPeak`. */
function memory(name: "VmRSS" | "VmHWM"): number {
  const kilobytes = new RegExp(`^${name}:\\s+(\\d+) kB$`, "m").exec(readFileSync("/proc/self/status", "utf8"))?.[1];
  return 1024 * Number(kilobytes);
}

/** Begins a new peak of resident memory; gives what it begins with, or null where the system has no such count. */
function forgetPeak(): number | null {
  try {
    writeFileSync("/proc/self/clear_refs", "5");
    return memory("VmRSS");
  } catch {
    return null;
  }
}

const numRuns = Math.ceil(CASES / all.length);

describe("a reader of changed files", () => {
  it.each(all)("reads, or refuses by name: $name", async (reader) => {
    await fc.assert(isHandled(reader), { numRuns, seed: SEED });
  });

  const files = [Uint8Array.of(1, 2, 3, 4)];
  it.each([
    ["crashes on some file", () => Promise.reject(new RangeError("Invalid array length"))],
    ["does not name the file", () => Promise.reject(new DataError("is wrong"))],
  ])("that %s is found", async (_, read) => {
    const found = await fc.check(isHandled({ name: "x", file: "x.bin", files, read }), {
      numRuns: 1,
      seed: SEED,
      endOnFailure: true,
    });
    expect(found.failed).toBe(true);
  });

  it.skipIf(forgetPeak() === null)("that takes more than a gigabyte is found, though it gives it back", async () => {
    const read = () => {
      const kept = Array.from({ length: 6 }, () => new Uint8Array(2e8).fill(1));
      expect(kept.map((one) => one.at(-1))).toEqual(Array(6).fill(1));
      return Promise.resolve();
    };
    const found = await fc.check(isHandled({ name: "x", file: "x.bin", files, read }), {
      numRuns: 1,
      seed: SEED,
      endOnFailure: true,
    });
    expect(found.failed).toBe(true);
  });
});

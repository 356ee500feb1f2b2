import { existsSync } from "node:fs";
import { join } from "node:path";
import { isDeepStrictEqual } from "node:util";
import { beforeAll, describe, expect, it } from "vitest";
import { mapConcurrent } from "../../src/base/concurrency.js";
import { checkCheckpoints, remainsOf, startLiqe, toyConfig } from "../support/disturbed.js";
import { temporaryFolder, toyDatabase, toyWeights } from "../support/runs.js";
import { compileFaults, faultyEnvironment, type WriteFault, writesOf } from "./faulty.js";

const library = compileFaults();
const TRAIN = ", epochs: 2, stepsPerEpoch: 3, saveEverySteps: 2, keepEverySteps: 3";
const RUNS_AT_ONCE = 2;

let config = "";
let undisturbed: ReturnType<typeof remainsOf> = {};
/** The first and the last write of each kind of the undisturbed run, by its number from 1. */
let writes: readonly { readonly at: number; readonly what: string; readonly isFirst: boolean }[] = [];

const train = (run: string) => ["train", "--config", config, "--out", run];

beforeAll(async () => {
  if (library === null) return;
  config = toyConfig(await toyDatabase(), await toyWeights(), { train: TRAIN });
  const run = join(temporaryFolder(), "run");
  const all = await writesOf(library, run, train(run));
  undisturbed = remainsOf(run);
  writes = all.flatMap((what, i) => {
    const isFirst = all.indexOf(what) === i;
    return isFirst || all.lastIndexOf(what) === i ? [{ at: i + 1, what, isFirst }] : [];
  });
  expect(writes.length).toBeGreaterThan(80);
});

/** What is wrong with a run whose writes fail so, and with the same run when it is taken up again; empty: nothing. */
async function faultsOf(fault: Omit<WriteFault, "root">): Promise<string[]> {
  if (library === null) return [];
  const root = join(temporaryFolder(), "run");
  const { code, signal, messages } = await startLiqe(
    train(root),
    faultyEnvironment(library, { fault: { ...fault, root } }),
  ).ended;
  const wrong: string[] = [];
  // A folder that is there need not be made: no harm where that fails. Before anything is trained, another place is asked for
  const isBegun = existsSync(join(root, "split-1", "metrics.jsonl"));
  const isHarmless = (code === 0 && fault.once) || (code === 2 && fault.code === "EROFS" && !isBegun);
  if (code !== 6 && !isHarmless) wrong.push(`ended with ${String(code ?? signal)}: ${messages}`);
  if (code === 6 && !/no room|the disk fails/.test(messages)) wrong.push(`did not say why: ${messages}`);
  if (/^\s+at |unexpected/m.test(messages)) wrong.push(`was not expected: ${messages}`);
  const split = join(root, "split-1");
  await checkCheckpoints(split).catch((error: unknown) => wrong.push(`left half a checkpoint: ${String(error)}`));
  const goOn = existsSync(join(split, "config.yaml")) ? ["train", "--resume", root] : train(root);
  const after = await startLiqe(goOn).ended;
  if (after.code !== 0) wrong.push(`could not be taken up again, ${String(after.code)}: ${after.messages}`);
  else if (!isDeepStrictEqual(remainsOf(root), undisturbed)) wrong.push("left something else than the undisturbed run");
  return wrong;
}

describe.skipIf(library === null)("a run on a disk at which one kind of write after the other fails", () => {
  it.each([
    ["EIO", true],
    ["ENOSPC", false],
    ["EROFS", false],
  ] as const)(
    "with %s, ends with 6 and its reason, and is taken up again to the undisturbed run",
    async (code, once) => {
      expect(
        (
          await mapConcurrent(
            writes.filter(({ isFirst }) => isFirst || once),
            RUNS_AT_ONCE,
            async ({ at, what }) => (await faultsOf({ code, at, once })).map((wrong) => `${what} (${at}): ${wrong}`),
          )
        ).flat(),
      ).toEqual([]);
    },
    7_200_000,
  );
});

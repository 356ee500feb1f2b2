import { existsSync } from "node:fs";
import { readdir, readFile } from "node:fs/promises";
import path from "node:path";
import { z } from "zod";
import { ConfigError } from "../base/errors.js";
import { requireUnlocked } from "../base/lock.js";
import { jsonOf, plural, reasonOf } from "../base/text.js";
import { type BestValidation, chosenBy } from "../evaluate/chosenBy.js";
import { RUN_FILES, splitFolder, splitsOf } from "../train/checkpoint/runFolder.js";
import { runState } from "../train/checkpoint/runState.js";

/** One split of a run, as `liqe runs` shows it. */
export interface ListedRun {
  readonly run: string;
  readonly split: number;
  readonly folder: string;
  /** `trained`: its training is at its end, its results are not there yet. */
  readonly state: "running" | "unfinished" | "trained" | "finished";
  /** Epochs that are behind it, and those of its config. */
  readonly epoch: number;
  readonly epochs: number | null;
  /** Highest validation of an epoch, and that value again where it is the SRCC; null where none was validated. */
  readonly best: (BestValidation & { readonly srcc: number | null }) | null;
  /** Seconds of its epochs together. */
  readonly seconds: number;
}

/**
 * Lists the runs below a folder, each split of them, in the order of their names.
 * @param folder  of runs, or one run
 * @throws {@link ConfigError} where the folder or a run's config cannot be read
 */
export async function listRuns(folder: string): Promise<ListedRun[]> {
  const names = await readdir(folder).catch((error: unknown) => {
    throw new ConfigError(`${folder}: cannot be read (${reasonOf(error)}); name the folder of runs`);
  });
  const isRun = (await splitsOf(folder)).length > 0;
  const folders = isRun ? [folder] : names.sort().map((name) => path.join(folder, name));
  const runs: ListedRun[] = [];
  for (const run of folders) {
    for (const split of await splitsOf(run)) {
      const listed = await listSplit(run, split);
      if (listed !== null) runs.push(listed);
    }
  }
  return runs;
}

/** Folder that runs are in by default. */
const RUNS = "checkpoints";

/**
 * The only run under `checkpoints/`, for commands that are given none.
 * @param note  told which run that is
 * @returns its folder
 * @throws {@link ConfigError} where there is not exactly one
 */
export async function onlyRun(note: (line: string) => void): Promise<string> {
  const listed = existsSync(RUNS) ? await listRuns(RUNS) : [];
  const [only, ...others] = new Set(listed.map(({ run }) => path.join(RUNS, run)));
  if (only === undefined || others.length > 0) {
    const names = only === undefined ? [] : [only, ...others];
    const found = names.length === 0 ? "holds no run" : `holds ${plural(names.length, "run")}: ${names.join(", ")}`;
    throw new ConfigError(`${RUNS}: ${found}; name the one that is meant`);
  }
  note(`${only}: taken, as it is the only run under ${RUNS}/`);
  return only;
}

const TrainedEpochs = z.looseObject({ train: z.looseObject({ epochs: z.number().optional() }).optional() });

/** A mean; null where it is none, or not finite, which metrics.jsonl has a word for. */
const mean = z.number().nullable().catch(null);

/** Line of an epoch in metrics.jsonl. */
const EpochLine = z.looseObject({
  kind: z.literal("epoch"),
  epoch: z.number(),
  time: z.looseObject({ seconds: z.number() }),
  validation: z.looseObject({ srcc: mean, pairs: mean.optional() }).nullable(),
});

async function listSplit(run: string, split: number): Promise<ListedRun | null> {
  const folder = splitFolder(run, split);
  const state = runState(folder);
  if (state.kind === "new") return null;
  const epochs = await epochsOf(path.join(folder, RUN_FILES.metrics));
  const validated = epochs.flatMap(({ epoch, validation }): BestValidation[] => {
    const { measure, value } = chosenBy(validation ?? { srcc: null });
    return value === null ? [] : [{ measure, value, epoch: epoch + 1 }];
  });
  const best = validated.reduce<BestValidation | null>((a, b) => (a !== null && a.value >= b.value ? a : b), null);
  return {
    ...{ run: path.basename(path.resolve(run)), split, folder },
    best: best === null ? null : { ...best, srcc: best.measure === "srcc" ? best.value : null },
    state: (await isAtWork(folder)) ? "running" : state.isFinished ? "finished" : state.isTrained ? "trained" : "unfinished", // prettier-ignore
    epoch: epochs.length,
    epochs: TrainedEpochs.safeParse(state.config).data?.train?.epochs ?? null,
    seconds: epochs.reduce((sum, { time }) => sum + time.seconds, 0),
  };
}

async function epochsOf(file: string) {
  const text = await readFile(file, "utf8").catch(() => "");
  return text.split("\n").flatMap((line) => EpochLine.safeParse(jsonOf(line)).data ?? []);
}

async function isAtWork(folder: string): Promise<boolean> {
  try {
    await requireUnlocked(folder);
    return false;
  } catch (error) {
    if (error instanceof ConfigError) return true;
    throw error;
  }
}

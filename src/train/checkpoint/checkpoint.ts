import { randomUUID } from "node:crypto";
import { mkdir, readdir, readFile, rename, rm, stat } from "node:fs/promises";
import path from "node:path";
import { z } from "zod";
import { CheckpointError } from "../../base/errors.js";
import { sha256OfFile, syncFolder, writeSummed } from "../../base/files.js";
import { ASIDE_PREFIX, makeFolders, replaceFolder, STAGING_PREFIX } from "../../base/folders.js";
import { trainingImages } from "../../data/sample.js";
import type { KnownKind } from "../../model/architecture/architecture.js";
import { type NamedArrays, TOKEN_EMBEDDING } from "../../model/parameters/parameters.js";
import { SIGLIP_LOGIT_BIAS } from "../../model/parameters/shapes.js";
import type { PromptGrid } from "../../model/prompts/promptGrid.js";
import type { TextTokenizer } from "../../model/text/tokenizer.js";
import { kindMetadata, recordedKind } from "../../model/weights/kind/encoderKind.js";
import { withWholeTable } from "../../model/weights/keptTokens.js";
import { needTokenizer } from "../../model/weights/tokenizer/readTokenizer.js";
import { inFileNames, inOpenAiNames } from "../../model/weights/transformersNames.js";
import { readSafetensors, readWithMetadata, writeSafetensors } from "../../model/weights/safetensors.js";
import type { RunPlan } from "../plan.js";
import type { RunProgress } from "../progress.js";
import { SavedTaskValues, WeightingState } from "../weighting/state.js";
import {
  adapterArrays,
  adapterMetadata,
  type AdapterRecord,
  isLora,
  peftConfig,
  readAdapted,
  readLearnedPrompts,
} from "./adapter.js";
import { CHECKPOINT_FILES, holdsCheckpoint, RUN_FILES } from "./runFolder.js";
import { parseSeen, type SeenRecord } from "./seen.js";

/** Contents of a checkpoint. Without an optimizer it can be evaluated and exported, but not resumed. */
export interface Checkpoint {
  /**
   * Weights to score with: the trained ones or, where weights are averaged, their averages. Adapters stand beside the
   * weights of their base, and so do learned prompts; see `mergedWeights`.
   */
  readonly weights: NamedArrays;
  /** Of the adapters or learned prompts among the weights, which are saved in place of all; null where there are none. */
  readonly adapter: AdapterRecord | null;
  /** Kind of their encoders; {} of the first checkpoints, which are all of OpenAI's kind. */
  readonly kind: KnownKind;
  /** Tokenizer of weights that have their own, whose files the checkpoint holds; null for CLIP's. */
  readonly tokenizer?: TextTokenizer | null | undefined;
  /** Trained weights before averaging, from which training goes on; null where weights are not averaged. */
  readonly raw: NamedArrays | null;
  readonly state: TrainingState;
  readonly optimizer: NamedArrays | null;
  /** Images that the weights have learned from; null where that is not known. */
  readonly seen: SeenRecord | null;
}

const Manifest = z.strictObject({
  files: z.record(z.string(), z.strictObject({ bytes: z.int().nonnegative(), sha256: z.string().length(64) })),
});

const UUID_LENGTH = 36;

/** Header entry that other packages' readers expect. */
const FORMAT_NOTE = { format: "pt" };

/**
 * Writes a checkpoint under a name that is not its own, waits for the disk, then renames. A reader never meets half a
 * checkpoint, and the one that was there before stays until the new one is whole.
 * @throws the file system's own error; what was there before is untouched
 */
export async function saveCheckpoint(folder: string, checkpoint: Checkpoint): Promise<void> {
  await withStaged(path.dirname(folder), checkpoint, (staged) => replaceFolder(staged, folder));
}

/** Saves a checkpoint as `last`; the one before becomes `previous`, so that at every instant one of them is whole. */
export async function saveLast(runFolder: string, checkpoint: Checkpoint): Promise<void> {
  const last = path.join(runFolder, RUN_FILES.last);
  await withStaged(runFolder, checkpoint, async (staged) => {
    if (holdsCheckpoint(last)) await replaceFolder(last, path.join(runFolder, RUN_FILES.previous));
    await replaceFolder(staged, last);
  });
}

/** Hands a whole checkpoint under a temporary name to `publish`; on failure nothing of it is left behind. */
async function withStaged(
  parent: string,
  checkpoint: Checkpoint,
  publish: (staged: string) => Promise<void>,
): Promise<void> {
  await makeFolders(parent);
  const staged = path.join(parent, `${STAGING_PREFIX}${randomUUID()}`);
  try {
    await mkdir(staged);
    await writeContents(staged, checkpoint);
    await publish(staged);
  } catch (error) {
    await rm(staged, { recursive: true, force: true }).catch(() => undefined); // the first error counts
    throw error;
  }
}

async function writeContents(
  folder: string,
  { weights, adapter, kind, tokenizer, raw, state, optimizer, seen }: Checkpoint,
): Promise<void> {
  const files: z.output<typeof Manifest>["files"] = {};
  const write = async (name: string, contents: Parameters<typeof writeSummed>[1]) => {
    files[name] = await writeSummed(path.join(folder, name), contents);
  };
  const names = CHECKPOINT_FILES;
  const header = { ...FORMAT_NOTE, ...kindMetadata(kind) };
  if (adapter) {
    const own = { ...header, ...adapterMetadata(adapter) };
    const file = isLora(adapter) ? names.adapter : names.prompts;
    await write(file, (sink) => writeSafetensors(sink, adapterArrays(weights, adapter), own));
    if (isLora(adapter)) await write(names.adapterConfig, peftConfig(adapter, weights));
  } else await write(names.model, (sink) => writeSafetensors(sink, inFileNames(weights), header));
  if (optimizer) await write(names.optimizer, (sink) => writeSafetensors(sink, optimizer));
  if (raw) await write(names.raw, (sink) => writeSafetensors(sink, raw, FORMAT_NOTE));
  if (seen) await write(names.seen, `${JSON.stringify(seen)}\n`);
  for (const [name, bytes] of tokenizer?.files ?? []) await write(name, (sink) => sink.writeFile(bytes));
  await write(names.state, `${JSON.stringify(state, null, 1)}\n`);
  const inOrder = Object.fromEntries(Object.entries(files).sort(([a], [b]) => (a < b ? -1 : 1)));
  await write(names.manifest, `${JSON.stringify({ files: inOrder }, null, 1)}\n`);
  await syncFolder(folder);
}

/** @throws {CheckpointError} where a file is missing, cut short or changed; names the file */
export async function loadCheckpoint(folder: string, { withOptimizer = true } = {}): Promise<Checkpoint> {
  await verify(folder);
  const file = (name: string) => path.join(folder, name);
  const state = parseTrainingState(file(CHECKPOINT_FILES.state), await readJson(file(CHECKPOINT_FILES.state)));
  const { weights, adapter, metadata, source } = await readModel(folder);
  const toGoOn = async (name: string) =>
    withOptimizer && (await exists(file(name))) ? readSafetensors(file(name)) : null;
  return {
    state,
    weights,
    adapter,
    kind: recordedKind(source, metadata),
    tokenizer: await ownTokenizer(source, weights),
    raw: await toGoOn(CHECKPOINT_FILES.raw),
    optimizer: await toGoOn(CHECKPOINT_FILES.optimizer),
    seen: await readSeen(folder),
  };
}

/** Weights of a checkpoint, the header of their file, and that file. */
async function readModel(folder: string) {
  const adapter = path.join(folder, CHECKPOINT_FILES.adapter);
  if (await exists(adapter)) return { ...(await readAdapted(adapter)), source: adapter };
  const prompts = path.join(folder, CHECKPOINT_FILES.prompts);
  if (await exists(prompts)) return { ...(await readLearnedPrompts(prompts)), source: prompts };
  const source = path.join(folder, CHECKPOINT_FILES.model);
  const { arrays, metadata } = await readWithMetadata(source);
  const weights = inOpenAiNames(withWholeTable(source, arrays, metadata));
  return { weights, adapter: null, metadata, source };
}

/** Tokenizer of a SigLIP's checkpoint; null for CLIP's. @throws {CheckpointError} where its files are not there */
async function ownTokenizer(source: string, weights: NamedArrays): Promise<TextTokenizer | null> {
  if (!weights.has(SIGLIP_LOGIT_BIAS)) return null;
  return needTokenizer(source, weights.get(TOKEN_EMBEDDING)?.shape[0] ?? 0);
}

/** Record of the images that a checkpoint has learned from; null where it was written without one. */
export async function readSeen(folder: string): Promise<SeenRecord | null> {
  const file = path.join(folder, CHECKPOINT_FILES.seen);
  return (await exists(file)) ? parseSeen(file, await readJson(file)) : null;
}

/** Split that a checkpoint was trained on, by its state alone; null where it has none. @throws {CheckpointError} where that is no state */
export async function readSplit(folder: string): Promise<number | null> {
  const file = path.join(folder, CHECKPOINT_FILES.state);
  return parseTrainingState(file, await readJson(file)).split;
}

/** Checkpoint that a run goes on from. */
interface LastCheckpoint {
  readonly checkpoint: Checkpoint;
  /** Reason why it is not `last`; null where it is. */
  readonly notice: string | null;
}

/** The newest whole checkpoint to go on from: `last`, else `previous`; null where the run has none yet. */
export async function loadLast(
  runFolder: string,
  options?: { readonly withOptimizer: boolean },
): Promise<LastCheckpoint | null> {
  const candidates = [RUN_FILES.last, RUN_FILES.previous].map((name) => path.join(runFolder, name));
  const problems: string[] = [];
  for (const folder of candidates) {
    if (!(await exists(folder))) continue;
    try {
      const checkpoint = await loadCheckpoint(folder, options);
      const notice = problems.length === 0 ? null : `${problems.join("; ")}; going on from ${folder}`;
      return { checkpoint, notice };
    } catch (error) {
      if (!(error instanceof CheckpointError)) throw error;
      problems.push(error.message);
    }
  }
  if (problems.length > 0) throw new CheckpointError(`${problems.join("; ")}; no whole checkpoint is left in the run`);
  return null;
}

/** Renames a damaged `last` (over an earlier one), which the next save would put in the place of the whole `previous`. */
export async function setAsideDamaged(runFolder: string): Promise<void> {
  const damaged = path.join(runFolder, RUN_FILES.damaged);
  await rm(damaged, { recursive: true, force: true });
  await rename(path.join(runFolder, RUN_FILES.last), damaged);
  await syncFolder(runFolder);
}

/** Removes leftovers of killed saves and puts a checkpoint that was moved aside back. For the run's own process alone. */
export async function sweepStaging(runFolder: string): Promise<void> {
  for (const name of await readdir(runFolder)) {
    if (!name.startsWith(STAGING_PREFIX)) continue;
    const passing = path.join(runFolder, name);
    const former = formerName(name);
    if (former !== null && holdsCheckpoint(passing) && !(await exists(path.join(runFolder, former)))) {
      await rename(passing, path.join(runFolder, former));
    } else await rm(passing, { recursive: true, force: true });
  }
}

/** The name of a checkpoint that was put aside; null for any other passing name. */
function formerName(passing: string): string | null {
  return passing.startsWith(ASIDE_PREFIX) ? passing.slice(ASIDE_PREFIX.length, -(UUID_LENGTH + 1)) : null;
}

async function verify(folder: string): Promise<void> {
  const manifestFile = path.join(folder, CHECKPOINT_FILES.manifest);
  const manifest = Manifest.safeParse(await readJson(manifestFile));
  if (!manifest.success) throw new CheckpointError(`${manifestFile}: is not a checkpoint's manifest`);
  for (const [name, { bytes, sha256 }] of Object.entries(manifest.data.files)) {
    const file = path.join(folder, path.basename(name));
    const found = (await exists(file)) ? (await stat(file)).size : null;
    if (found === null) throw new CheckpointError(`${file}: is missing`);
    if (found !== bytes) throw new CheckpointError(`${file}: has ${found} bytes, ${bytes} were written`);
    if ((await sha256OfFile(file)) !== sha256) throw new CheckpointError(`${file}: was changed since it was written`);
  }
}

async function readJson(file: string): Promise<unknown> {
  try {
    return JSON.parse(await readFile(file, "utf8"));
  } catch (error) {
    const why = error instanceof SyntaxError ? "is not JSON" : "cannot be read";
    throw new CheckpointError(`${file}: ${why}`, { cause: error });
  }
}

async function exists(file: string): Promise<boolean> {
  return stat(file).then(
    () => true,
    () => false,
  );
}

/** State of a run besides weights and moments: all that resuming exactly needs. */
const TrainingStateSchema = z.strictObject({
  format: z.literal(1),
  packageVersion: z.string(),
  seed: z.int(),
  split: z.int().nullable(),
  /** The resolved config, as the run's config.yaml has it. */
  config: z.record(z.string(), z.unknown()),
  template: z.string(),
  labels: z.strictObject({
    qualities: z.array(z.string()),
    scenes: z.array(z.string()),
    distortions: z.record(z.string(), z.array(z.string())),
  }),
  /** State of the loop; see RunProgress. */
  progress: z.strictObject({
    position: z.strictObject({ epoch: z.int(), step: z.int() }),
    history: z.strictObject({ epochMeans: z.array(SavedTaskValues), sums: SavedTaskValues, steps: z.int() }),
    weights: SavedTaskValues.default({}), // these two: not in the first states of this format
    weighting: WeightingState.nullable().default(null),
    best: z.number().nullable(),
    bestAverage: z.number().nullable(),
    epochsWithoutRise: z.int().nonnegative().default(0),
    validation: z.unknown(),
    skippedSteps: z.int().nonnegative().default(0), // not in the first states of this format
    finished: z.boolean(),
  }),
  /** Optimizer steps taken. */
  optimizerSteps: z.int(),
  /** Factor by which weight decay alone has changed the token embedding's unused rows. */
  untouchedDecay: z.number(),
  /** Its moving average, where weights are averaged. */
  averageUntouchedDecay: z.number().nullable().default(null),
  /** Of metrics.jsonl and of the event file: bytes up to this position; what stands behind is dropped on resume. */
  logBytes: z.strictObject({ metrics: z.int().nonnegative(), events: z.int().nonnegative() }),
  engine: z.strictObject({ backend: z.string(), threads: z.int() }),
  /** Files of the training lists; not in the first states of this format. */
  trainingLists: z.array(z.string()).default([]),
});
export type TrainingState = z.output<typeof TrainingStateSchema>;

/** Counts that the optimizer and the logs keep; see there. */
type Counts = Pick<TrainingState, "optimizerSteps" | "untouchedDecay" | "averageUntouchedDecay" | "logBytes">;

/** The state of a run at work. */
export function trainingState(plan: RunPlan, grid: PromptGrid, progress: RunProgress, counts: Counts): TrainingState {
  return {
    format: 1,
    packageVersion: plan.packageVersion,
    seed: plan.config.seed,
    split: plan.split,
    config: plan.record,
    template: grid.template,
    labels: structuredClone(plan.labels) as TrainingState["labels"], // arrays of strings either way
    progress: structuredClone(progress) as TrainingState["progress"], // plain data, by its definition
    engine: plan.engine,
    trainingLists: [...new Set(plan.databases.flatMap((one) => trainingImages(one).map(({ list }) => list)))],
    ...counts,
  };
}

/** @throws {CheckpointError} naming what does not fit */
function parseTrainingState(file: string, json: unknown): TrainingState {
  const result = TrainingStateSchema.safeParse(json);
  if (result.success) return result.data;
  const problems = result.error.issues.map((issue) => `${issue.path.join(".")}: ${issue.message}`);
  throw new CheckpointError(`${file}: ${problems.join("; ")}; was it written by another version?`);
}

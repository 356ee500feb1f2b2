import { existsSync } from "node:fs";
import { readFile, stat } from "node:fs/promises";
import path from "node:path";
import { CheckpointError, ConfigError } from "../base/errors.js";
import { sha256OfFile } from "../base/files.js";
import type { Precision } from "../engine/compile/compile.js";
import { parseExportManifest } from "../export/exportManifest.js";
import { type ExportManifest, MANIFEST_FILE } from "../inference/manifest.js";
import type { Activation, Architecture, KnownKind } from "../model/architecture/architecture.js";
import { inferArchitecture } from "../model/architecture/inferArchitecture.js";
import type { PromptsConfig } from "../model/config.js";
import { LiqeModel } from "../model/liqe.js";
import { hasLearnedPrompts, networkArrays } from "../model/parameters/learnedPrompts.js";
import type { NamedArray, NamedArrays } from "../model/parameters/parameters.js";
import { LARGEST_WINDOW } from "../model/preprocess/image.js";
import { type LabelTables, PUBLISHED_LABELS } from "../model/prompts/labels.js";
import { type PromptGrid, promptGrid, PUBLISHED_TEMPLATE } from "../model/prompts/promptGrid.js";
import { ModelScorer } from "../model/scorer.js";
import { END_TOKEN, type TextTokenizer } from "../model/text/tokenizer.js";
import { weightFileIn } from "../model/weights/container.js";
import { assumptionNote, kindAsked, requireKind } from "../model/weights/kind/encoderKind.js";
import { requireTokens } from "../model/weights/keptTokens.js";
import { checkPreset, loadParameters } from "../model/weights/loadParameters.js";
import { needTokenizer } from "../model/weights/tokenizer/readTokenizer.js";
import { type AdapterBase, fileBase, isLora, mergedWeights } from "../train/checkpoint/adapter.js";
import {
  type Checkpoint,
  loadCheckpoint,
  readSeen,
  readSplit,
  type TrainingState,
} from "../train/checkpoint/checkpoint.js";
import {
  CHECKPOINT_FILES,
  holdsCheckpoint,
  RUN_FILES,
  splitFolder,
  splitOf,
  splitsOf,
} from "../train/checkpoint/runFolder.js";
import type { SeenRecord } from "../train/checkpoint/seen.js";
import { boxByName } from "./box.js";
import { loadConfig, readPrompts } from "./config.js";

/** Place of weights: a checkpoint with its state, or a weight file without one. */
export type WeightSource =
  { readonly kind: "checkpoint"; readonly folder: string } | { readonly kind: "file"; readonly file: string };

/**
 * Resolves `--checkpoint C` and `model.weights`: a run (its split's `best`, else its `last`), a split's folder, a
 * checkpoint folder, an export's folder, a weight file, or `liqe-small`, the model in the box.
 * @param split  split of a run; null where the run may have one alone
 * @throws {CheckpointError} where nothing is there, or a run with several splits and none chosen
 */
export async function findWeights(asked: string, split: number | null = null): Promise<WeightSource> {
  const name = boxByName(asked);
  const found = await stat(name).catch(() => null);
  if (found === null) throw new CheckpointError(`${name}: there is no such file or folder`);
  if (!found.isDirectory()) return { kind: "file", file: name };
  const exported = await exportManifestIn(name);
  if (exported !== null) return { kind: "file", file: exportedFile(name, exported) };
  const candidates = holdsCheckpoint(name) ? [name] : checkpointsOf(await splitOfRun(name, split));
  const folder = candidates.find(holdsCheckpoint);
  if (folder !== undefined) return { kind: "checkpoint", folder };
  const file = existsSync(path.join(name, CHECKPOINT_FILES.state)) ? null : await weightFileIn(name);
  if (file !== null) return { kind: "file", file };
  throw new CheckpointError(
    `${name}: holds no whole checkpoint; expected a run, a split's folder, a folder with ${CHECKPOINT_FILES.manifest}, ` +
      "a weight file, or a folder with model.safetensors or its index",
  );
}

function checkpointsOf(folder: string): string[] {
  return [RUN_FILES.best, RUN_FILES.last, RUN_FILES.previous].map((name) => path.join(folder, name));
}

/** Split's folder of a run; the folder itself where it is one. */
async function splitOfRun(folder: string, split: number | null): Promise<string> {
  if (splitOf(path.resolve(folder)) !== null) return folder;
  if (split !== null) return splitFolder(folder, split);
  const splits = await splitsOf(folder);
  if (splits.length > 1) {
    const names = splits.map((n) => `split-${n}`).join(", ");
    throw new CheckpointError(`${folder}: is a run with several splits; name one of them: ${names}`);
  }
  return splitFolder(folder, splits[0] ?? 1);
}

/** Weights with what is known of their training. */
interface OpenedWeights {
  readonly source: WeightSource;
  readonly weights: NamedArrays;
  readonly architecture: Architecture;
  /** Of the weights, where they have their own. */
  readonly tokenizer: TextTokenizer | null;
  /** Properties that nothing says and that were taken for OpenAI's kind; see `KindSources`. */
  readonly assumed: readonly string[];
  /** Null for a weight file, which has no record of its training. */
  readonly state: TrainingState | null;
  /** Images that they have learned from; null where that is not known. */
  readonly seen: SeenRecord | null;
  /** Features of prompts that a weight file stores, [prompts, embedding]; null where it stores none. */
  readonly storedFeatures: NamedArray | null;
  /** Prompts of the training or the export; null for a weight file alone. */
  readonly prompts: PromptChoice | null;
}

/** Requirements on weights, and what is said about them. */
interface OpenOptions {
  /** Split of a run; null where the run may have one alone. */
  readonly split?: number | null;
  /** Preset that they have to fit. */
  readonly preset?: string | undefined;
  /** Kind that was asked for where they do not say it themselves. */
  readonly kind?: KnownKind | undefined;
  /** Told what nothing says and was assumed. */
  readonly note?: (line: string) => void;
}

/** Opens weights. @throws {CheckpointError} where they are refused */
export async function openWeights(name: string, options: OpenOptions = {}): Promise<OpenedWeights> {
  const { split = null, preset, kind, note } = options;
  const source = await findWeights(name, split);
  if (source.kind === "checkpoint") {
    const checkpoint = await loadCheckpoint(source.folder, { withOptimizer: false });
    const { kind: own, state, seen, tokenizer = null } = checkpoint;
    const weights = mergedWeights(checkpoint);
    const file = path.join(source.folder, weightsName(checkpoint));
    const shapes = [...networkArrays(weights)].map(([key, { shape }]) => [key, shape] as const);
    const architecture = inferArchitecture(new Map(shapes), file, own);
    if (preset !== undefined) checkPreset(file, architecture, preset);
    requireKind(file, architecture, kind);
    const prompts = { template: state.template, labels: state.labels };
    const known = { tokenizer, assumed: [], state, seen, storedFeatures: null, prompts };
    return { source, weights, architecture, ...known };
  }
  const prompts = await exportedPrompts(source.file);
  const loaded = await loadParameters(source.file, { kind, ...(preset === undefined ? {} : { preset }) });
  const { architecture, assumed, parameters, storedFeatures } = loaded;
  const { text } = architecture;
  const tokenizer = text.kind === undefined ? null : (loaded.tokenizer ?? (await needTokenizer(source.file, text.vocabulary))); // prettier-ignore
  checkFits(source.file, architecture);
  const assumption = assumptionNote(source.file, architecture, assumed);
  if (assumption !== null) note?.(assumption);
  const known = { tokenizer, assumed, state: null, seen: null, storedFeatures, prompts };
  return { source, weights: parameters, architecture, ...known };
}

/** Name of a checkpoint's file of weights. */
function weightsName({ adapter }: Pick<Checkpoint, "adapter">): string {
  if (adapter === null) return CHECKPOINT_FILES.model;
  return isLora(adapter) ? CHECKPOINT_FILES.adapter : CHECKPOINT_FILES.prompts;
}

/** @throws {CheckpointError} where weights read other tokens or larger windows than are made here */
function checkFits(file: string, { vision, text }: Architecture): void {
  if (text.kind === undefined && text.vocabulary !== END_TOKEN + 1) {
    const what = `its vocabulary has ${text.vocabulary} tokens, the tokenizer of the prompts ${END_TOKEN + 1}`;
    throw new CheckpointError(`${file}: ${what}; weights with a tokenizer of their own are not read`);
  }
  if (vision.imageSize <= LARGEST_WINDOW) return;
  throw new CheckpointError(
    `${file}: reads windows of ${vision.imageSize} pixels, more than the ${LARGEST_WINDOW} that images are reduced to; ` +
      '"liqe weights convert FILE --image-size N --out FILE.safetensors" makes weights for smaller ones',
  );
}

/**
 * Names weights that adapters or prompts are to be trained on.
 * @throws {CheckpointError} where they are adapters themselves, or in shards
 */
export async function openBase(name: string): Promise<AdapterBase> {
  const source = await findWeights(name);
  if (source.kind === "file") return fileBase(source.file);
  const file = path.join(source.folder, CHECKPOINT_FILES.model);
  if (existsSync(file)) return fileBase(file);
  if (existsSync(path.join(source.folder, CHECKPOINT_FILES.prompts))) {
    const what = "holds learned prompts, with which another training does not begin";
    throw new CheckpointError(`${name}: ${what}; name the weights that they were trained on`);
  }
  throw new CheckpointError(
    `${name}: holds adapters, and nothing else is trained beside those; merge them first: ` +
      `liqe export --checkpoint ${name} --format safetensors --out DIR`,
  );
}

/**
 * Weight file, or index, that a name stands for: its own, or that of a folder.
 * @throws {CheckpointError} for the folder of a checkpoint that has only what was trained beside other weights
 */
export async function weightFileOf(asked: string): Promise<string> {
  const name = boxByName(asked);
  const file = await weightFileIn(name);
  const beside = [CHECKPOINT_FILES.adapter, CHECKPOINT_FILES.prompts].find((own) => existsSync(path.join(name, own)));
  if (file !== null || beside === undefined) return file ?? name;
  const what = beside === CHECKPOINT_FILES.adapter ? "adapters" : "learned prompts";
  throw new CheckpointError(
    `${name}: holds ${what} (${beside}) and not the weights that they were trained on; name those, as model.weights of ` +
      `its ${CHECKPOINT_FILES.state} does, or write both together: liqe export --checkpoint ${name} --format safetensors --out DIR`,
  );
}

/** Record of the images that weights have learned from; null where that is not known. */
export async function openSeen(name: string, split: number | null = null): Promise<SeenRecord | null> {
  const source = await findWeights(name, split);
  return source.kind === "checkpoint" ? readSeen(source.folder) : null;
}

/** Split that weights were trained on; null where that is not known. */
export async function openSplit(name: string): Promise<number | null> {
  const source = await findWeights(name);
  return source.kind === "checkpoint" ? readSplit(source.folder) : null;
}

/** A model ready to score. Keeps weights and prompts on the device until `dispose()`. */
export interface OpenedModel extends OpenedWeights {
  readonly model: LiqeModel;
  readonly scorer: ModelScorer;
  dispose(): void;
}

/**
 * Opens a model with its prompts encoded.
 * @param choices  prompts: `asked` in place of its own, which a checkpoint and an export have; `usual` where it has none;
 *                 `precision` of the image encoder's products
 * @throws {CheckpointError} as `openWeights`
 */
export async function openModel(
  name: string,
  {
    asked = null,
    usual = null,
    precision = "float32",
    ...options
  }: PromptChoices & OpenOptions & { readonly precision?: Precision | undefined } = {},
): Promise<OpenedModel> {
  const opened = await openWeights(name, options);
  const published = { template: PUBLISHED_TEMPLATE, labels: PUBLISHED_LABELS };
  const { template, labels } = asked ?? opened.prompts ?? usual ?? published;
  const { architecture, tokenizer } = opened;
  checkLearned(name, opened, promptGrid(template, labels));
  const model = new LiqeModel(opened.weights, promptGrid(template, labels), { architecture, precision, tokenizer });
  const dispose = () => {
    model.dispose();
  };
  try {
    requireTokens(name, opened.weights, model.promptTree.usedTokens);
    checkStored(name, opened.storedFeatures, model);
  } catch (error) {
    dispose();
    throw error;
  }
  return { ...opened, model, scorer: new ModelScorer(model), dispose };
}

/** @throws {CheckpointError} where prompts were learned and others are asked */
function checkLearned(name: string, { weights, prompts }: OpenedWeights, grid: PromptGrid): void {
  const own = prompts === null ? grid : promptGrid(prompts.template, prompts.labels);
  if (!hasLearnedPrompts(weights) || own.prompts.join("\n") === grid.prompts.join("\n")) return;
  const what = "its prompts were learned, and others are asked";
  throw new CheckpointError(`${name}: ${what}; leave out --config and --prompts, or train on those`);
}

/** Cosine from which features count as the same: half precision and other programs' sums change the fourth digit. */
const SAME_FEATURES = 0.999;

/** @throws {CheckpointError} where stored features of prompts are not those of the prompts that are asked */
function checkStored(name: string, stored: NamedArray | null, model: LiqeModel): void {
  if (stored === null) return;
  const { prompts } = model.grid;
  const remedy = "name the prompts that they were trained with: --config F, or --prompts FILE";
  const [count = 0, width = 0] = stored.shape;
  if (count !== prompts.length || width !== model.architecture.embedding) {
    const what = `stores features of ${count} prompts in ${width} numbers, where ${prompts.length} prompts are asked`;
    throw new CheckpointError(`${name}: ${what}; ${remedy}`);
  }
  const features = model.promptFeatures().dataSync();
  const other = prompts.findIndex((_, i) => {
    const [own, theirs] = [features, stored.values].map((all) => all.subarray(i * width, (i + 1) * width));
    return !(cosine(own ?? [], theirs ?? []) >= SAME_FEATURES);
  });
  if (other < 0) return;
  throw new CheckpointError(`${name}: its stored features are not those of "${prompts[other] ?? ""}"; ${remedy}`);
}

function cosine(a: ArrayLike<number>, b: ArrayLike<number>): number {
  const dot = (x: ArrayLike<number>, y: ArrayLike<number>) =>
    Array.from(x).reduce((sum, value, i) => sum + value * (y[i] ?? NaN), 0);
  return dot(a, b) / Math.sqrt(dot(a, a) * dot(b, b));
}

/** Prompts to ask in place of the published ones. */
type PromptChoice = { readonly template: string; readonly labels: LabelTables };

interface PromptChoices {
  readonly asked?: PromptChoice | null;
  readonly usual?: PromptChoice | null;
}

/** Options that name prompts. */
export interface PromptOptions {
  /** Config whose prompts are asked: a path or a name from configs/. */
  readonly config?: string | undefined;
  /** YAML file of prompts, as the section `prompts` of a config. */
  readonly prompts?: string | undefined;
}

/** Options that say what a weight file does not; what contradicts it is refused. */
export interface KindOptions {
  /** Number of the image tower's attention heads. */
  readonly heads?: number | undefined;
  /** Activation of both towers. */
  readonly activation?: Activation | undefined;
}

/** Prompts and kind that options name, in place of a model's own; null and nothing where they name none. */
export interface AskedChoices {
  readonly asked: PromptChoice | null;
  readonly kind: KnownKind;
}

/** Choices by the options. @throws {ConfigError} where they name prompts twice, or a file of theirs cannot be read */
export function choicesBy({ config, prompts, ...kind }: PromptOptions & KindOptions): AskedChoices {
  if (config !== undefined && prompts !== undefined) {
    throw new ConfigError("--config and --prompts do not go together: both name prompts");
  }
  if (config === undefined) return { asked: promptsIn(prompts), kind: kindAsked(kind) };
  const named = loadConfig(config).config;
  return { asked: choiceOf(named.prompts), kind: kindAsked(kind, named.model.architecture) };
}

/** Prompts of a file; null for none. @throws {ConfigError} where it cannot be read */
export function promptsIn(file: string | undefined): PromptChoice | null {
  return file === undefined ? null : choiceOf(readPrompts(file));
}

/** Prompts by the section of a config. */
export function choiceOf({ template, ...labels }: PromptsConfig): PromptChoice {
  return { template, labels };
}

/** Weight files of exports that hold both towers, the one to read first. */
const WEIGHT_FILES = ["model.safetensors", "liqe.pt"];

/** Reads the manifest of an export; null where the folder is none. @throws {CheckpointError} for a broken one */
async function exportManifestIn(folder: string): Promise<ExportManifest | null> {
  const file = path.join(folder, MANIFEST_FILE);
  const text = await readFile(file, "utf8").catch(() => null);
  if (text === null) return null;
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch {
    return null; // a checkpoint's reader will say so
  }
  const isExport = typeof json === "object" && json !== null && "manifestVersion" in json;
  return isExport ? parseExportManifest(file, json) : null;
}

/** Weight file of an export. @throws {CheckpointError} where none holds both towers */
function exportedFile(folder: string, { format, files }: ExportManifest): string {
  const name = WEIGHT_FILES.find((file) => file in files);
  if (name !== undefined) return path.join(folder, name);
  throw new CheckpointError(
    `${folder}: is an export as ${format}, which has the image tower and the prompts' features alone; ` +
      "name the run, or its export as safetensors or openai",
  );
}

/**
 * Prompts by the export's manifest beside a weight file; null where there is none.
 * @throws {CheckpointError} where the file is not the one that was exported
 */
async function exportedPrompts(file: string): Promise<PromptChoice | null> {
  const manifest = await exportManifestIn(path.dirname(file));
  const written = manifest?.files[path.basename(file)];
  if (manifest === null || written === undefined) return null;
  const isWhole = (await stat(file)).size === written.bytes && (await sha256OfFile(file)) === written.sha256;
  if (!isWhole) throw new CheckpointError(`${file}: was changed since it was exported; export it again`);
  return { template: manifest.prompts.template, labels: manifest.prompts.tables };
}

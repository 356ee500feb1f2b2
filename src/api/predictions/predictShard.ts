import { createHash } from "node:crypto";
import { existsSync } from "node:fs";
import path from "node:path";
import { sha256OfFile } from "../../base/files.js";
import { makeFolders } from "../../base/folders.js";
import { withLock } from "../../base/lock.js";
import { packageVersion } from "../../base/packageInfo.js";
import { plural } from "../../base/text.js";
import { tensorFiles } from "../../model/weights/container.js";
import { CLAIM_FILES } from "../../model/weights/kind/claims.js";
import { ALL_TOKENIZER_FILES } from "../../model/weights/tokenizer/readTokenizer.js";
import { CHECKPOINT_FILES } from "../../train/checkpoint/runFolder.js";
import { BOX } from "../box.js";
import { findConfig } from "../config.js";
import { findWeights, type KindOptions } from "../openModel.js";
import { type Expanded, expandPaths } from "../paths.js";
import { type PredictOptions, type Prediction, predictExpanded } from "../predict.js";
import { reporterOf } from "../work.js";
import { Journal } from "./journal.js";

/** One of `count` parts of the images; `index` from 0. */
export interface Shard {
  readonly index: number;
  readonly count: number;
}

/** Options of `predictShard`. */
export interface ShardOptions extends PredictOptions, KindOptions {
  readonly checkpoint?: string | undefined;
  readonly shard: Shard;
  /** File that the predictions are for; progress is kept beside it. None: nothing is kept. */
  readonly out?: string | undefined;
}

/** Predictions of a shard; null, with the counts, where an earlier process has finished it. */
export interface ShardRun {
  readonly predictions: AsyncIterable<Prediction> | null;
  readonly images: number;
  readonly failed: number;
  /** Call it once the predictions' file is written. */
  readonly finish: () => Promise<void>;
}

/**
 * Has `use` score one shard of the images: a run of neighbors in `predict`'s order, so that the shards one after the other are
 * what `predict` yields. With `out`, what a killed process has scored is taken from its journal, and no other process may
 * work on that file until `use` ends.
 * @throws {ConfigError} where another process does, or the journal is of other images, another model or other options
 */
export async function predictShard<T>(
  paths: readonly string[],
  options: ShardOptions,
  use: (run: ShardRun) => Promise<T>,
): Promise<T> {
  const { recursive = false, readList, shard, out } = options;
  const expanded = partOf(await expandPaths(paths, { recursive, readList }), shard);
  const images = expanded.problems.length + expanded.files.length;
  const finish = () => Promise.resolve();
  if (out === undefined) return use({ predictions: predictExpanded(expanded, options), images, failed: 0, finish });
  const [folder, file] = [path.dirname(out), path.basename(out)];
  await makeFolders(folder);
  const useAlone = async () => {
    const journal = await Journal.open(out, await workOf(expanded, options));
    if (!(journal instanceof Journal)) return use({ ...journal, predictions: null, finish });
    const { earlier } = journal;
    if (earlier.length > 0)
      reporterOf(options).note(`${out}: ${earlier.length} of ${plural(images, "image")} scored before; going on`);
    const predictions = journaled(journal, predictExpanded(without(expanded, earlier.length), options));
    return use({ predictions, images, failed: 0, finish: () => journal.finish(images) }).finally(() => journal.close());
  };
  return withLock(folder, useAlone, { file });
}

/** Images from `floor(index N / count)` up to the next shard's; paths that name none are the first one's. */
export function partOf({ files, problems, notes }: Expanded, { index, count }: Shard): Expanded {
  const at = (i: number) => Math.floor((i * files.length) / count);
  const isFirst = index === 0;
  return {
    files: files.slice(at(index), at(index + 1)),
    problems: isFirst ? problems : [],
    notes: isFirst ? notes : [],
  };
}

/** Images left once the first `done` predictions are there. */
function without({ files, problems, notes }: Expanded, done: number): Expanded {
  return { files: files.slice(Math.max(0, done - problems.length)), problems: problems.slice(done), notes };
}

async function* journaled(journal: Journal, rest: AsyncIterable<Prediction>): AsyncGenerator<Prediction, void> {
  yield* journal.earlier;
  for await (const prediction of rest) {
    await journal.add(prediction);
    yield prediction;
  }
}

/** Text that differs where the names of a shard's images, the weights or what scores depend on do. */
async function workOf(expanded: Expanded, options: ShardOptions): Promise<string> {
  const { shard, crops, small, maxMegapixels, orientation, precision, heatmap, heads, activation } = options;
  const settings = { shard, crops, small, maxMegapixels, orientation, precision, heatmap, heads, activation };
  const { config, prompts } = options;
  const configFile = config === undefined ? undefined : findConfig(config, process.cwd());
  const named = [configFile, prompts].filter((file) => file !== undefined);
  const files = [...(await filesOf(options.checkpoint ?? BOX)), ...named];
  const sums = await Promise.all(files.map(async (file) => [path.basename(file), await sha256OfFile(file)] as const));
  const facts = { ...settings, sums, version: packageVersion(), images: expanded.files, problems: expanded.problems };
  return createHash("sha256").update(JSON.stringify(facts)).digest("hex");
}

/** Files that tell a model's weights, and what these do not say themselves; a checkpoint's manifest has its files' sums. */
async function filesOf(checkpoint: string): Promise<string[]> {
  const source = await findWeights(checkpoint);
  if (source.kind !== "file") return [path.join(source.folder, CHECKPOINT_FILES.manifest)];
  const folder = path.dirname(source.file);
  const beside = [...CLAIM_FILES, ...ALL_TOKENIZER_FILES].map((name) => path.join(folder, name)).filter(existsSync);
  return [...(await tensorFiles(source.file)), ...beside];
}

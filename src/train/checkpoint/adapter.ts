/** Small parts of a network in a checkpoint, adapters in PEFT's names or learned prompts, and the base that they belong to. */
import { createHash } from "node:crypto";
import { existsSync } from "node:fs";
import path from "node:path";
import { z } from "zod";
import { CheckpointError } from "../../base/errors.js";
import { sha256OfFile } from "../../base/files.js";
import { reasonOf } from "../../base/text.js";
import type { KnownKind } from "../../model/architecture/architecture.js";
import { someOf } from "../../model/architecture/inferArchitecture.js";
import { presetArchitecture } from "../../model/architecture/presets.js";
import { initialParameters } from "../../model/parameters/initialize.js";
import { adapterShapes, fromPeftName, isAdapter, mergeAdapters, peftName } from "../../model/parameters/lora.js";
import {
  hasLearnedPrompts,
  promptArrays,
  PROMPT_CONTEXT,
  PROMPT_FEATURES,
} from "../../model/parameters/learnedPrompts.js";
import { type NamedArray, type NamedArrays, TOKEN_EMBEDDING } from "../../model/parameters/parameters.js";
import { recordedKind } from "../../model/weights/kind/encoderKind.js";
import { loadParameters } from "../../model/weights/loadParameters.js";
import { readWithMetadata } from "../../model/weights/safetensors.js";

/** Weights that adapters were trained on: a file by its SHA-256, or random ones by preset and seed. */
const AdapterBase = z.union([
  z.strictObject({ kind: z.literal("file"), path: z.string(), sha256: z.string().length(64) }),
  z.strictObject({ kind: z.literal("random"), preset: z.string(), seed: z.int(), sha256: z.string().length(64) }),
]);
export type AdapterBase = z.output<typeof AdapterBase>;

/** Properties of a checkpoint's adapters, besides their values. */
export interface LoraRecord {
  readonly rank: number;
  readonly alpha: number;
  /** Share of the adapters' inputs that training leaves out. */
  readonly dropout: number;
  readonly base: AdapterBase;
}

/** Properties of a checkpoint's learned prompts, besides their values. */
interface PromptsRecord {
  readonly base: AdapterBase;
}

/** Properties of what a checkpoint holds in place of all weights: adapters, or learned prompts. */
export type AdapterRecord = LoraRecord | PromptsRecord;

/** True for the record of low-rank adapters. */
export function isLora(record: AdapterRecord): record is LoraRecord {
  return "rank" in record;
}

/** Base of a weight file, to be recorded. @throws {CheckpointError} where it is in shards, which one sum does not cover */
export async function fileBase(file: string): Promise<AdapterBase> {
  if (file.endsWith(".index.json")) {
    throw new CheckpointError(
      `${file}: is in shards, and what is trained beside weights names one file by its SHA-256; make one of them first: ` +
        `liqe weights convert ${path.dirname(file)} --out FILE.safetensors`,
    );
  }
  return { kind: "file", path: path.resolve(file), sha256: await sha256OfFile(file) };
}

/** Base of random weights, to be recorded. */
export function randomBase(preset: string, seed: number): AdapterBase {
  return { kind: "random", preset, seed, sha256: sumOf(initialParameters(presetArchitecture(preset), seed)) };
}

/** SHA-256 of weights, by name in order: names and values. */
export function sumOf(arrays: NamedArrays): string {
  const hash = createHash("sha256");
  for (const [name, { values }] of [...arrays].sort(([a], [b]) => (a < b ? -1 : 1))) {
    hash.update(name).update(new Uint8Array(values.buffer, values.byteOffset, values.byteLength));
  }
  return hash.digest("hex");
}

/** Part of weights that is saved in place of all of them: learned prompts, or adapters under PEFT's names. */
export function adapterArrays(weights: NamedArrays, record: AdapterRecord): NamedArrays {
  return isLora(record) ? loraArrays(weights) : promptArrays(weights);
}

function loraArrays(weights: NamedArrays): Map<string, NamedArray> {
  return new Map([...weights].flatMap(([name, array]) => (isAdapter(name) ? [[peftName(name), array] as const] : [])));
}

/** Header of an adapter's file: what it belongs to. */
export function adapterMetadata(record: AdapterRecord): Record<string, string> {
  const base = JSON.stringify(record.base);
  return isLora(record)
    ? { rank: String(record.rank), alpha: String(record.alpha), ...dropoutMetadata(record), base }
    : { base };
}

/** Nothing without dropout, as before there was any. */
function dropoutMetadata({ dropout }: LoraRecord): Record<string, string> {
  return dropout === 0 ? {} : { dropout: String(dropout) };
}

/** Text of PEFT's `adapter_config.json` for these adapters. */
export function peftConfig({ rank, alpha, dropout, base }: LoraRecord, weights: NamedArrays): string {
  const modules = [...loraArrays(weights).keys()].map((name) =>
    name.replace(/^base_model\.model\./, "").replace(/\.lora_[AB]\.weight$/, ""),
  );
  const config = {
    peft_type: "LORA",
    task_type: null,
    base_model_name_or_path: base.kind === "file" ? base.path : null,
    r: rank,
    lora_alpha: alpha,
    lora_dropout: dropout,
    bias: "none",
    fan_in_fan_out: false,
    inference_mode: true,
    target_modules: [...new Set(modules)],
  };
  return `${JSON.stringify(config, null, 1)}\n`;
}

/** Weights of a base with a checkpoint's adapters beside them, and what is known of both. */
interface AdaptedWeights {
  readonly weights: NamedArrays;
  readonly adapter: AdapterRecord;
  readonly metadata: Readonly<Record<string, string>>;
}

/**
 * Reads adapters and the base that they name.
 * @throws {CheckpointError} where the file holds anything else, or the base is gone or not the one that was trained on
 */
export async function readAdapted(file: string): Promise<AdaptedWeights> {
  const { arrays, metadata } = await readWithMetadata(file);
  const adapter = recordOf(file, metadata);
  const adapters = [...arrays].map(([name, array]): [string, NamedArray] => {
    const own = fromPeftName(name);
    if (own !== null) return [own, array];
    throw new CheckpointError(`${file}: "${name}" is no adapter of CLIP's blocks; was it written by another program?`);
  });
  const base = await readBase(file, adapter.base, recordedKind(file, metadata));
  checkAdapters(file, { base, adapters: new Map(adapters), rank: adapter.rank });
  return { weights: new Map([...base, ...adapters]), adapter, metadata };
}

/**
 * Reads learned prompts and the base that they name.
 * @throws {CheckpointError} where the file holds anything else, or the base is gone or not the one that was trained on
 */
export async function readLearnedPrompts(file: string): Promise<AdaptedWeights> {
  const { arrays, metadata } = await readWithMetadata(file);
  const adapter = { base: baseOf(file, metadata["base"]) };
  const base = await readBase(file, adapter.base, recordedKind(file, metadata));
  const [learned, ...others] = arrays;
  const isFinite = learned?.[1].values.every(Number.isFinite) === true;
  if (learned === undefined || others.length > 0 || !hasLearnedPrompts(arrays) || !isFinite) {
    const what = `must hold "${PROMPT_FEATURES}" or "${PROMPT_CONTEXT}" alone, of finite numbers`;
    throw new CheckpointError(
      `${file}: ${what}, got ${someOf([...arrays.keys()])}; was it written by another program?`,
    );
  }
  const width = base.get(learned[0] === PROMPT_FEATURES ? "text_projection" : TOKEN_EMBEDDING)?.shape[1];
  if (learned[1].shape.at(-1) !== width) {
    const what = `"${learned[0]}" is [${learned[1].shape.join(", ")}], and its base has ${width ?? "no"} numbers a row`;
    throw new CheckpointError(`${file}: ${what}; was it changed?`);
  }
  return { weights: new Map([...base, ...arrays]), adapter, metadata };
}

/** @throws {CheckpointError} for adapters of no matrix of the base, of another shape, or that lack others of their matrix */
function checkAdapters(
  file: string,
  { base, adapters, rank }: { readonly base: NamedArrays; readonly adapters: NamedArrays; readonly rank: number },
): void {
  const groups = [...base].map(([name, { shape }]) => adapterShapes(new Map([[name, shape]]), rank, () => true));
  const expected = new Map(groups.flatMap((group) => [...group]));
  const problems = [...adapters].flatMap(([name, { shape, values }]) => {
    const wanted = expected.get(name);
    if (wanted === undefined) return [`"${name}" fits no matrix of its base`];
    if (shape.join() !== wanted.join()) return [`"${name}" is [${shape.join(", ")}], not [${wanted.join(", ")}]`];
    return values.every(Number.isFinite) ? [] : [`"${name}" has values that are not finite`];
  });
  const cut = groups.filter((group) => [...group.keys()].some((name) => adapters.has(name)));
  const missing = cut.flatMap((group) => [...group.keys()].filter((name) => !adapters.has(name)));
  const all = [...problems, ...missing.map((name) => `"${name}" is missing`)];
  if (all.length === 0) return;
  throw new CheckpointError(`${file}: ${someOf(all)}; was it written by another program, or changed?`);
}

function recordOf(
  file: string,
  { rank, alpha, dropout = "0", base }: Readonly<Record<string, string | undefined>>,
): LoraRecord {
  try {
    const numbers = z.object({
      rank: z.int().positive(),
      alpha: z.number().positive(),
      dropout: z.number().nonnegative().lt(1),
    });
    const sizes = numbers.parse({ rank: Number(rank), alpha: Number(alpha), dropout: Number(dropout) });
    return { ...sizes, base: baseOf(file, base) };
  } catch (error) {
    const what = "its header does not say the rank, alpha and base of the adapters";
    throw new CheckpointError(`${file}: ${what}; was it written by another program?`, { cause: error });
  }
}

function baseOf(file: string, base: string | undefined): AdapterBase {
  try {
    return AdapterBase.parse(JSON.parse(base ?? "null"));
  } catch (error) {
    const what = "its header does not say the base that it belongs to";
    throw new CheckpointError(`${file}: ${what}; was it written by another program?`, { cause: error });
  }
}

/** @param kind  of the encoders, as the run knew it: the base's own file may not say it */
async function readBase(file: string, base: AdapterBase, kind: KnownKind): Promise<NamedArrays> {
  if (base.kind === "random") {
    const arrays = initialParameters(presetArchitecture(base.preset), base.seed);
    if (sumOf(arrays) === base.sha256) return arrays;
    throw new CheckpointError(
      `${file}: its base, ${base.preset} at random by seed ${base.seed}, comes out otherwise now`,
    );
  }
  const refused = (why: string) =>
    new CheckpointError(`${file}: its base ${base.path} ${why}; this file fits SHA-256 ${base.sha256} alone`);
  if (!existsSync(base.path)) throw refused("is not there");
  const found = await sha256OfFile(base.path).catch((error: unknown) => {
    throw refused(`cannot be read (${reasonOf(error)})`);
  });
  if (found !== base.sha256) throw refused(`is another file now, of SHA-256 ${found}`);
  return (await loadParameters(base.path, { kind })).parameters;
}

/** Weights to score with: those of a checkpoint, its adapters merged into them, or its learned prompts beside them. */
export function mergedWeights({
  weights,
  adapter,
}: {
  readonly weights: NamedArrays;
  readonly adapter: AdapterRecord | null;
}): NamedArrays {
  return adapter === null || !isLora(adapter) ? weights : mergeAdapters(weights, adapter.alpha);
}

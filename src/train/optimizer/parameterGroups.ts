import { ConfigError } from "../../base/errors.js";
import { didYouMean } from "../../base/text.js";
import { adapterShapes, isAdapter, type LoraPart } from "../../model/parameters/lora.js";
import { PROMPT_CONTEXT, PROMPT_FEATURES } from "../../model/parameters/learnedPrompts.js";
import { blockCounts, type ParameterPart, partOf, type Shapes, type Tower } from "../../model/parameters/shapes.js";

/** Names that a pattern may have; blocks may be followed by `.3` or `.0-5`, both ends included. */
const PARTS = [
  "vision",
  "vision.stem",
  "vision.embeddings",
  "vision.blocks",
  "vision.head",
  "text",
  "text.embeddings",
  "text.blocks",
  "text.head",
] as const;

/** `vision`, `vision.stem`, `text.blocks.3` or `text.blocks.0-5`, taken apart; blocks from `first` to `last`. */
interface FreezePattern {
  readonly tower: Tower;
  readonly part: string | null;
  readonly first: number;
  readonly last: number;
}

/** Problem of a pattern of `train.freeze`, whatever the architecture; null where it can be read. */
export function freezeProblem(pattern: string): string | null {
  if (parse(pattern) !== null) return null;
  const known = `${PARTS.join(", ")}, and blocks by number, such as vision.blocks.3 or text.blocks.0-5`;
  return `"${pattern}" names no part of the network${didYouMean(pattern, PARTS)} (known: ${known})`;
}

/**
 * The parameters that are trained: all of both towers but those that a pattern names. The logit scale never is.
 * @param names  of all parameters of a model, or of an architecture
 * @returns      in the order of `names`
 * @throws {ConfigError} naming every pattern that cannot be read or names a part that this network does not have; or
 *                       where nothing is left to train
 */
export function trainableParameters(names: Iterable<string>, freeze: readonly string[]): string[] {
  const all = [...names];
  const problems = freeze.flatMap((pattern) => freezeProblem(pattern) ?? missingPart(pattern, all) ?? []);
  if (problems.length > 0) throw new ConfigError(problems.map((problem) => `train.freeze: ${problem}`).join("\n"));
  const patterns = freeze.flatMap((pattern) => parse(pattern) ?? []);
  const trained = all.filter((name) => {
    const part = partOf(name);
    return part !== null && !patterns.some((pattern) => covers(pattern, part));
  });
  if (trained.length > 0) return trained;
  throw new ConfigError(
    `train.freeze: [${freeze.join(", ")}] leaves nothing to train; name fewer parts, or evaluate instead`,
  );
}

/** Part of the section `train` that says what is trained. */
export interface Tuning {
  readonly tune: "all" | "lora" | "probe" | "prompts" | "norms";
  readonly lora: {
    readonly rank: number;
    readonly alpha: number;
    readonly layers: readonly string[];
    readonly parts: readonly LoraPart[];
    readonly dropout: number;
  };
  readonly freeze: readonly string[];
}

/**
 * The parameters that a config trains.
 * @param shapes  of all parameters of a model, or of an architecture; adapters among them do not matter
 * @returns       names; with `tune: lora` those of its adapters alone, with `probe` and `prompts` what is learned of them
 * @throws {ConfigError} as `trainableParameters`, or where `lora.layers` names blocks that the network does not have
 */
export function tunedParameters(shapes: Shapes, tuning: Tuning): string[] {
  if (tuning.tune === "lora") return [...loraShapes(shapes, tuning).keys()];
  if (tuning.tune === "probe") return [PROMPT_FEATURES];
  if (tuning.tune === "prompts") return [PROMPT_CONTEXT];
  const names = [...shapes.keys()].filter((name) => !isAdapter(name));
  const trained = trainableParameters(names, tuning.freeze);
  return tuning.tune === "norms" ? trained.filter((name) => NORM_OR_BIAS.test(name)) : trained;
}

/** Gains and shifts of layer norms and a ResNet's batch norms, and biases of linear maps. */
const NORM_OR_BIAS = /(?:^|\.)(?:ln_\w+|norm|bn\d|downsample\.1)\.weight$|bias$/;

/** Shapes of the adapters of `tune: lora`, by name. @throws {ConfigError} naming blocks that the network does not have */
export function loraShapes(shapes: Shapes, { lora }: Pick<Tuning, "lora">): Map<string, readonly number[]> {
  const names = [...shapes.keys()];
  const problems = lora.layers.flatMap((layers) => missingPart(layers, names) ?? []);
  if (problems.length > 0) throw new ConfigError(problems.map((problem) => `train.lora.layers: ${problem}`).join("\n"));
  return new Map(lora.layers.flatMap((layers) => [...adaptersIn(shapes, layers, lora)]));
}

/** Adapters of the blocks that one pattern names. @throws {ConfigError} where they have no matrix that takes any */
function adaptersIn(shapes: Shapes, layers: string, { rank, parts }: Tuning["lora"]): Map<string, readonly number[]> {
  const pattern = parse(layers);
  const found = adapterShapes(shapes, rank, (name, part) => {
    const of = partOf(name);
    return parts.includes(part) && of !== null && pattern !== null && covers(pattern, of);
  });
  if (found.size > 0) return found;
  throw new ConfigError(
    `train.lora.layers: "${layers}": adapters are for transformers, and this network has none there; name other ` +
      "blocks, or set train.tune: norms",
  );
}

/** Towers that none of the trained parameters belongs to. */
export function frozenTowers(trained: readonly string[]): Tower[] {
  const towers = new Set(trained.map((name) => partOf(name)?.tower));
  return (["text", "vision"] as const).filter((tower) => !towers.has(tower));
}

function parse(pattern: string): FreezePattern | null {
  const [, named = "", first, last] = /^([a-z.]+?)(?:\.(\d+)(?:-(\d+))?)?$/.exec(pattern) ?? [];
  const isKnown = PARTS.some((part) => part === named);
  if (!isKnown || (first !== undefined && !named.endsWith(".blocks"))) return null;
  const [tower, part = null] = named.split(".") as [Tower, string?]; // every known part begins with its tower
  const range =
    first === undefined ? { first: 0, last: Infinity } : { first: Number(first), last: Number(last ?? first) };
  return range.first <= range.last ? { tower, part, ...range } : null;
}

function covers({ tower, part, first, last }: FreezePattern, of: ParameterPart): boolean {
  if (tower !== of.tower || (part !== null && part !== of.part)) return false;
  return part !== "blocks" || (of.block !== null && of.block >= first && of.block <= last);
}

/** Part that a readable pattern names and this network lacks, in words; null where all of it is there. */
function missingPart(pattern: string, names: readonly string[]): string | null {
  const parsed = parse(pattern);
  if (parsed === null) return null;
  const blocks = blockCounts(names)[parsed.tower];
  const isBeyond = parsed.last !== Infinity && parsed.last >= blocks;
  if (isBeyond) return `"${pattern}": this network has ${parsed.tower}.blocks.0-${blocks - 1}`;
  const isThere = names.some((name) => {
    const part = partOf(name);
    return part !== null && covers(parsed, part);
  });
  return isThere ? null : `"${pattern}": this network has no such part`;
}

/**
 * Factors of the parameters' learning rates: layerDecay to the power of the distance from the top of the
 * tower. The head (last layer norm and projection) has 1, the last block layerDecay, the one below its square, and stem
 * and embeddings, below n blocks, layerDecay^(n + 1): as BEiT (arXiv 2106.08254) and its code do it, after ELECTRA
 * (arXiv 2003.10555). Each tower counts its own blocks.
 * @param names       of all parameters of a model: blocks are counted among them
 * @param layerDecay  in (0, 1]; 1 gives every parameter the same rate
 * @returns           by name; the logit scale, which is not trained, has none
 */
export function learningRateFactors(names: Iterable<string>, layerDecay: number): Map<string, number> {
  const all = [...names];
  const blocks = blockCounts(all);
  return new Map(
    all.flatMap((name): [string, number][] => {
      const part = partOf(name);
      return part === null ? [] : [[name, layerDecay ** distanceFromTop(part, blocks[part.tower])]];
    }),
  );
}

function distanceFromTop({ part, block }: ParameterPart, blocks: number): number {
  if (part === "head") return 0;
  return block === null ? blocks + 1 : blocks - block;
}

import { extentOf } from "../../base/collections.js";
import { type Architecture, type ResNet, resNetConvolutions } from "../../model/architecture/architecture.js";
import { type Checkpointing, keepsNorms } from "../../model/layers.js";
import type { PromptTree } from "../../model/text/promptTree.js";
import { parameterShapes } from "../../model/parameters/shapes.js";
import type { TrainConfig } from "../config.js";
import type { Recompute } from "../gradientCache.js";
import { frozenTowers, tunedParameters, type Tuning } from "../optimizer/parameterGroups.js";

const GIGABYTE = 1e9;

/** Share of the machine's memory that `memoryBudgetGB: auto` takes: the rest is for images, weights and others. */
const SHARE = 0.5;

/** Choices of `auto`, fastest first. */
const WAYS = ["never", "text", "always"] as const satisfies readonly Recompute[];

export type MemoryConfig = Tuning & Pick<TrainConfig, "memoryBudgetGB" | "microBatch" | "recompute">;

export interface MemoryChoice {
  readonly memoryBudgetGB: number;
  readonly microBatch: number;
  readonly recompute: Recompute;
}

type StepSize = { readonly architecture: Architecture; readonly tree: PromptTree; readonly crops: number };

/**
 * Chooses what `auto` means on this machine: the first of these that fits the budget.
 *
 * 1. All crops at once, every activation kept.
 * 2. The same, the text tower recomputed: one more forward pass of the prompts.
 * 3. Crops in micro-batches, as large as fit: one more forward pass of the crops. The text tower, which cannot
 *    be cut, is recomputed where it does not fit by itself.
 * 4. The same, the image tower recomputed, too: two more forward passes of the crops.
 *
 * Where not even one crop fits, the last of them with single crops.
 * @param memoryBytes  of the machine
 */
export function chooseMemory(config: MemoryConfig, size: StepSize, memoryBytes: number): MemoryChoice {
  const { microBatch, recompute } = config;
  const memoryBudgetGB =
    config.memoryBudgetGB === "auto" ? Math.round((SHARE * memoryBytes) / GIGABYTE) : config.memoryBudgetGB;
  const fits = (way: Recompute, crops: number) => stepBytes(config, size, way, crops) <= memoryBudgetGB * GIGABYTE;
  const ways = recompute === "auto" ? WAYS : [recompute];
  const last = recompute === "auto" ? "always" : recompute;
  if (microBatch !== "auto") {
    const way = ways.find((candidate) => fits(candidate, Math.min(microBatch, size.crops))) ?? last;
    return { memoryBudgetGB, microBatch, recompute: way };
  }
  const atOnce = ways.find((way) => (way !== "always" || recompute === way) && fits(way, size.crops));
  if (atOnce !== undefined) return { memoryBudgetGB, microBatch: size.crops, recompute: atOnce };
  const way = ways.find((candidate) => fits(candidate, 1)) ?? last;
  const smaller = Array.from({ length: size.crops - 1 }, (_, i) => size.crops - 1 - i);
  return { memoryBudgetGB, microBatch: smaller.find((crops) => fits(way, crops)) ?? 1, recompute: way };
}

/** Activations at the step's peak. Where crops are cut, prompts and each piece have a backward pass of their own. */
export function stepBytes(tuning: Tuning, size: StepSize, way: Recompute, microBatch: number): number {
  const { architecture, tree, crops } = size;
  if (tuning.tune === "probe") return bytesOfProbe(size);
  const keptOfText = way === "never" ? "activations" : "inputs";
  const shapes = parameterShapes(architecture);
  const isTextFrozen = frozenTowers(tunedParameters(shapes, tuning)).includes("text");
  const prompts = isTextFrozen ? 0 : bytesOfPrompts(architecture, tree, keptOfText);
  const adapters = tuning.tune === "lora" ? bytesOfAdapters(size, microBatch, tuning.lora) : 0;
  const piece = microBatch * bytesPerCrop(architecture, way === "always" ? "inputs" : "activations");
  return adapters + (microBatch === crops ? prompts + piece : Math.max(prompts, piece));
}

/** Of adapters in one block of a tower, the larger one. */
function bytesOfAdapters(
  { architecture: { vision, text }, tree }: StepSize,
  microBatch: number,
  { dropout }: Tuning["lora"],
): number {
  const ofText = (tree.trunk + tree.groups * tree.groupSize) * text.width;
  const ofImages = vision.kind === "resnet" ? 0 : microBatch * tokensOf(vision) * vision.width;
  return BYTES * (dropout > 0 ? ADAPTERS_PASSING.dropped : ADAPTERS_PASSING.plain) * Math.max(ofText, ofImages);
}

function tokensOf({ kind, imageSize, patchSize }: Exclude<Architecture["vision"], ResNet>): number {
  return (imageSize / patchSize) ** 2 + (kind === "siglip" ? 0 : 1);
}

/**
 * Of adapters in the block that is passed, in its rows: the input of its widest map, computed again, with its gradient,
 * and what is added; with dropout masks, too. Reckoned from the maps of a block: ViT-B/32 takes less of a crop with it than
 * is estimated then (docs/performance.md).
 */
const ADAPTERS_PASSING = { plain: 12, dropped: 36 };

/** Numbers of a probe's step that pass, for each of its features, of its prompts and of its logits. */
const PROBE_PASSING = 4;

/** Of a probe's step: features of crops and prompts, their logits, and the gradients of all. */
function bytesOfProbe({ architecture: { embedding }, tree, crops }: StepSize): number {
  const prompts = tree.ends.length;
  return BYTES * PROBE_PASSING * (crops * embedding + prompts * embedding + crops * prompts);
}

// Estimates of what a step keeps on the device between forward and backward pass, besides weights, moments and gradients:
// counted on the native engine; docs/performance.md has them beside measurements.

/** Kept of each block's activations: numbers of the size of its rows, and of its attention scores. */
const KEPT = { states: 11, scores: 2 };
/** Kept besides, with norms and activations. */
const KEPT_NORMS = 6;
/** Besides, while one block is computed or passed back. */
const PASSING = { states: 20, scores: 4 };
/** The same for each output of a stem's level: a linear map, a layer norm and a GELU. */
const STEM_LEVEL = 10;
/** The same for each token of SigLIP, whose last block and pooling are of all of them: counted beside a ViT 768 wide. */
const SIGLIP_LAST = 35;

const BYTES = 4;

/** A stack of blocks as far as its memory is concerned. */
interface Stack {
  readonly layers: number;
  readonly width: number;
  /** Numbers in the rows that go through. */
  readonly rows: number;
  /** Attention scores of all heads. */
  readonly scores: number;
}

/** Of one crop in the image tower. */
export function bytesPerCrop({ vision }: Architecture, keep: Checkpointing): number {
  if (vision.kind === "resnet") return BYTES * resNetNumbers(vision, keep);
  const { imageSize, width, layers, heads } = vision;
  const tokens = tokensOf(vision);
  const blocks = stackBytes({ layers, width, rows: tokens * width, scores: heads * tokens ** 2 }, keep);
  if (vision.kind === "siglip") return blocks + BYTES * SIGLIP_LAST * tokens * width;
  if (vision.stem === "patch") return blocks;
  let side = imageSize;
  const levels = vision.stem.reduce((sum, stage) => {
    side /= stage.stride;
    return sum + side * side * stage.width;
  }, 0);
  return blocks + BYTES * STEM_LEVEL * levels;
}

/** Passing pictures of a ResNet, in those of its largest convolution: in and out, gradients, neighborhoods in part. */
const RESNET_PASSING = 26;

/** Numbers of one crop in a ResNet: the output of each convolution is kept, or of each third (a block's) alone. */
function resNetNumbers(vision: ResNet, keep: Checkpointing): number {
  const outputs = resNetConvolutions(vision).map(({ side, to }) => side * side * to);
  const all = outputs.reduce((sum, size) => sum + size, 0);
  return (keep === "activations" ? all : all / 3) + RESNET_PASSING * extentOf(outputs).most;
}

/** Of all prompts in the text tower. */
export function bytesOfPrompts({ text }: Architecture, tree: PromptTree, keep: Checkpointing): number {
  const { trunk, groups, groupSize } = tree;
  const rows = (trunk + groups * groupSize) * text.width;
  const scores = text.heads * (trunk ** 2 + groups * groupSize * (trunk + groupSize));
  return stackBytes({ layers: text.layers, width: text.width, rows, scores }, keep);
}

function stackBytes({ layers, width, rows, scores }: Stack, keep: Checkpointing): number {
  const states = KEPT.states + (keepsNorms(width) ? KEPT_NORMS : 0);
  const block = states * rows + KEPT.scores * scores;
  const passing = PASSING.states * rows + PASSING.scores * scores;
  const kept = keep === "activations" ? layers * block : layers * rows + block;
  return BYTES * (kept + passing);
}

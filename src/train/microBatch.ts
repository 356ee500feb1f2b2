import type { Architecture } from "../model/architecture.js";
import type { TrainConfig } from "./config.js";

/**
 * Numbers of the size of a token's state that training keeps for each token and layer, forward and backward: 36 crops
 * of ViT-B/32 took 7.9 GB. Measured on the native engine; an estimate for every other network.
 */
const STATES_PER_LAYER = 119;

/** The same for each output of a stem's level: a linear map, a layer norm and a GELU. */
const STATES_PER_STEM_LEVEL = 40;

const BYTES = 4;
const GIGABYTE = 1e9;

/** Share of the machine's memory that `memoryBudgetGB: auto` takes: the rest is for images, weights and others. */
const SHARE = 0.5;

export interface MemoryChoice {
  readonly microBatch: number;
  readonly memoryBudgetGB: number;
}

/**
 * What `auto` means on this machine: the most crops of a step that fit the budget at once, at least 1.
 *
 * @param crops        crops of a step
 * @param memoryBytes  of the machine
 */
export function chooseMicroBatch(
  { microBatch, memoryBudgetGB }: Pick<TrainConfig, "microBatch" | "memoryBudgetGB">,
  architecture: Architecture,
  crops: number,
  memoryBytes: number,
): MemoryChoice {
  const budget = memoryBudgetGB === "auto" ? Math.round((SHARE * memoryBytes) / GIGABYTE) : memoryBudgetGB;
  if (microBatch !== "auto") return { microBatch, memoryBudgetGB: budget };
  const fitting = Math.floor((budget * GIGABYTE) / bytesPerCrop(architecture));
  return { microBatch: Math.min(Math.max(fitting, 1), crops), memoryBudgetGB: budget };
}

/** Memory that one crop's activations and their gradients take while it is trained on. */
export function bytesPerCrop({ vision }: Architecture): number {
  const { imageSize, patchSize, width, layers, stem } = vision;
  const tokens = (imageSize / patchSize) ** 2 + 1;
  const blocks = tokens * layers * width * STATES_PER_LAYER;
  if (stem === "patch") return BYTES * blocks;
  let side = imageSize;
  const levels = stem.reduce((sum, stage) => {
    side /= stage.stride;
    return sum + side * side * stage.width * STATES_PER_STEM_LEVEL;
  }, 0);
  return BYTES * (blocks + levels);
}

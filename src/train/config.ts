import { z } from "zod";
import { LORA_PARTS } from "../model/parameters/lora.js";
import { freezeProblem } from "./optimizer/parameterGroups.js";

const positiveInt = z.int().positive();

/** Names of blocks, as those of `train.freeze`. */
const BLOCKS = /^(?:text|vision)(?:\.blocks(?:\.\d+(?:-\d+)?)?)?$/;

const pattern = z
  .string()
  .refine((text) => freezeProblem(text) === null, { error: ({ input }) => freezeProblem(String(input)) ?? "" });

/** Adapters of `tune: lora`. */
const LoraConfig = z
  .strictObject({
    rank: positiveInt.max(1024).default(8).describe("rows of A and columns of B"),
    alpha: z.number().positive().default(16).describe("strength: adapters count alpha/rank"),
    layers: z
      .array(
        pattern.regex(BLOCKS, "must be a tower or blocks of it, such as vision, text.blocks or vision.blocks.6-11"),
      )
      .min(1)
      .default(["vision.blocks", "text.blocks"])
      .describe("blocks with adapters, as in freeze; a tower without any stays as it is"),
    parts: z
      .array(z.enum(LORA_PARTS))
      .min(1)
      .default([...LORA_PARTS])
      .describe("parts of a block with adapters: queries, keys, values and output; both feed-forward maps"),
    dropout: z
      .number()
      .nonnegative()
      .lt(1)
      .default(0)
      .describe("share of each adapter's inputs that a training step leaves out at random, as PEFT's lora_dropout"),
  })
  .readonly();

/** Linear probe of `tune: probe`. */
const ProbeConfig = z
  .strictObject({
    solver: z
      .enum(["adamw", "ridge"])
      .default("adamw")
      .describe(
        "adamw: the losses' gradients, for all tasks; ridge: squared error of the scores in closed form, for the quality",
      ),
    lambda: z
      .number()
      .positive()
      .default(1)
      .describe("ridge: factor of the weights' squares beside the sum of squared errors, scikit-learn's alpha"),
  })
  .readonly();

/** Context vectors of `tune: prompts`. */
const ContextConfig = z
  .strictObject({
    vectors: positiveInt
      .max(64)
      .default(4)
      .describe("context vectors of a prompt, in place of as many of the words that the template begins with"),
    init: z
      .enum(["words", "random"])
      .default("words")
      .describe("beginning of the vectors: the words that they take the place of, or a normal distribution"),
    scope: z
      .enum(["shared", "class"])
      .default("shared")
      .describe("shared: one context for all prompts; class: each prompt learns its own, and shares no prefix"),
  })
  .readonly();

/** Every training knob with its unit, its range and its only default: those of the paper's joint training. */
export const TrainConfig = z
  .strictObject({
    epochs: positiveInt.default(80).describe("number of epochs; each ends with a checkpoint"),
    stepsPerEpoch: positiveInt.default(200).describe("optimizer steps, not passes over the data"),
    cropsPerImage: positiveInt.default(3).describe("random windows per image and step"),
    learningRate: z.number().positive().max(1e-1).default(5e-6).describe("highest rate of the schedule (AdamW)"),
    weightDecay: z
      .number()
      .nonnegative()
      .max(1)
      .default(1e-3)
      .describe("decoupled weight decay of AdamW, on every trained tensor"),
    schedule: z
      .enum(["cosine", "cosine-steps", "cosine-restarts", "constant"])
      .default("cosine")
      .describe(
        "cosine: the paper's wave over epochs; cosine-steps: one descent to zero over all steps; cosine-restarts: a " +
          "descent to zero every cosineEpochs epochs",
      ),
    cosineEpochs: positiveInt
      .default(5)
      .describe("epochs: T_max of the cosine over epochs, or the period of cosine-restarts"),
    warmupSteps: z.int().nonnegative().default(0).describe("steps over which the rate rises linearly"),
    clipNorm: z.number().positive().nullable().default(null).describe("largest global gradient norm; null: no limit"),
    zero: z
      .union([z.literal(0), z.literal(1)])
      .default(0)
      .describe("of several processes: 0: each has all of the optimizer's state; 1: each keeps a share of it (ZeRO 1)"),
    tune: z
      .enum(["all", "lora", "probe", "prompts", "norms"])
      .default("all")
      .describe(
        "what is trained. all: all weights; lora: low-rank adapters of the blocks' matrices; probe: a linear classifier over " +
          "image features; prompts: context vectors of the prompts; norms: gains and shifts of layer norms and all biases",
      ),
    lora: LoraConfig.prefault({}),
    probe: ProbeConfig.prefault({}),
    prompts: ContextConfig.prefault({}),
    teacher: z
      .string()
      .min(1)
      .nullable()
      .default(null)
      .describe(
        "model that scores the databases' photos: a run, a checkpoint, a weight file, or a file of any model's scores",
      ),
    images: positiveInt
      .nullable()
      .default(null)
      .describe("training images of each database, drawn evenly over their scores by the seed; null: all of the list"),
    freeze: z
      .array(pattern)
      .default([])
      .describe("parts that are not trained: text, vision, or a part such as vision.stem or text.blocks.0-5"),
    layerDecay: z
      .number()
      .positive()
      .max(1)
      .default(1)
      .describe("factor of the learning rate from one block to the one below it; 1: one rate for all"),
    emaDecay: z
      .number()
      .positive()
      .lt(1)
      .nullable()
      .default(null)
      .describe("decay of a moving average of the weights, which is validated and saved; null: no average"),
    patienceEpochs: positiveInt
      .nullable()
      .default(null)
      .describe(
        "validations without a higher mean SRCC (of runs on pairs alone, accuracy) after which training ends; null: never",
      ),
    microBatch: z
      .union([z.literal("auto"), positiveInt])
      .default("auto")
      .describe("crops encoded at once; gradient caching keeps the step exact; auto: as many as fit the budget"),
    recompute: z
      .enum(["auto", "never", "text", "always"])
      .default("auto")
      .describe("towers whose activations are recomputed in the backward pass, to save memory; always: both towers"),
    memoryBudgetGB: z
      .union([z.literal("auto"), z.number().positive()])
      .default("auto")
      .describe("memory for activations; auto: half of the GPU's free memory, the machine's, or the container's"),
    saveEverySteps: positiveInt
      .default(200)
      .describe("steps between checkpoints; one is saved at each epoch's end too"),
    keepEverySteps: positiveInt
      .nullable()
      .default(null)
      .describe("steps between checkpoints that are kept, as step-<n>; null: none"),
    maxSkippedSteps: z
      .int()
      .nonnegative()
      .default(0)
      .describe("steps with a loss or gradient that is not finite that a run may skip before it stops"),
    validateEveryEpochs: positiveInt
      .default(1)
      .describe("epochs between validations; the last one is always validated"),
  })
  .refine((c) => c.warmupSteps < c.epochs * c.stepsPerEpoch, {
    path: ["warmupSteps"],
    error: "must be less than epochs x stepsPerEpoch, or the learning rate never peaks",
  })
  .refine((c) => c.maxSkippedSteps < c.stepsPerEpoch, {
    path: ["maxSkippedSteps"],
    error: "must be less than stepsPerEpoch: an epoch without a step has no mean loss",
  })
  .refine((c) => !(c.freeze.includes("text") && c.freeze.includes("vision")), {
    path: ["freeze"],
    error: "leaves nothing to train; freeze one tower, or evaluate instead",
  })
  .refine((c) => !isOnBase(c) || c.freeze.length === 0, {
    path: ["freeze"],
    error:
      "must be empty with `tune: lora`, `probe` or `prompts`, which leave all of the network as it is; lora.layers says " +
      "where adapters are",
  })
  .refine((c) => c.tune === "lora" || JSON.stringify(c.lora) === JSON.stringify(LoraConfig.parse({})), {
    path: ["lora"],
    error: "is for `tune: lora`; set that too, or leave this out",
  })
  .refine((c) => c.tune === "probe" || JSON.stringify(c.probe) === JSON.stringify(ProbeConfig.parse({})), {
    path: ["probe"],
    error: "is for `tune: probe`; set that too, or leave this out",
  })
  .refine((c) => c.tune === "prompts" || JSON.stringify(c.prompts) === JSON.stringify(ContextConfig.parse({})), {
    path: ["prompts"],
    error: "is for `tune: prompts`; set that too, or leave this out",
  })
  .refine((c) => !isRidge(c) || (c.epochs === 1 && c.stepsPerEpoch === 1 && c.emaDecay === null), {
    path: ["probe", "solver"],
    error: "ridge is solved in one step: set epochs: 1, stepsPerEpoch: 1, and no emaDecay",
  });

/** Ways of tuning whose checkpoints hold what was learned beside the weights that it began with, which stay as they are. */
const ON_BASE: readonly string[] = ["lora", "probe", "prompts"];

/** True of a run whose checkpoints name the weights that it began with, its base. */
export function isOnBase({ tune }: { tune: string }): boolean {
  return ON_BASE.includes(tune);
}

/** True where the probe is solved in closed form, without gradients. */
export function isRidge({ tune, probe }: { tune: string; probe: { solver: string } }): boolean {
  return tune === "probe" && probe.solver === "ridge";
}
export type TrainConfig = Readonly<z.output<typeof TrainConfig>>;

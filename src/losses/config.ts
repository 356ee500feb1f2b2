import { z } from "zod";

const weight = z.number().nonnegative();

/** What is minimised: one loss a task, and how the tasks are weighed against each other. */
export const LossesConfig = z
  .strictObject({
    quality: z.literal("fidelity").default("fidelity").describe("over all pairs of images of one database"),
    target: z
      .enum(["sign", "thurstone"])
      .default("sign")
      .describe("of a pair: which MOS is higher, or how probably; the latter needs the deviations of the MOS"),
    pairWeight: z
      .enum(["none", "deviation"])
      .default("none")
      .describe("what a pair counts in its database's mean: all the same, or by how surely their MOS are known"),
    tieMargin: z
      .number()
      .nonnegative()
      .default(0)
      .describe("two MOS that differ by less are a tie; in the unit below. 0, the published loss: only equal ones"),
    tieUnit: z
      .enum(["scale", "deviation"])
      .default("scale")
      .describe("of tieMargin: the span of a database's training scores, or the deviation of the pair's difference"),
    scene: z.enum(["cross-entropy", "fidelity"]).default("cross-entropy"),
    distortion: z
      .enum(["cross-entropy", "fidelity", "fidelity-released"])
      .default("cross-entropy")
      .describe("fidelity as in the paper, or divided by the number of classes as in the released code"),
    weighting: z
      .enum(["dwa", "equal", "uncertainty", "gradnorm", "gradient-cosine", "single"])
      .default("dwa")
      .describe(
        "dynamic weight average after each epoch; the weights below alone; log-variances that are learned; gradients " +
          "of balanced length; auxiliary tasks as far as they pull where quality does; one task alone",
      ),
    weightingRate: z
      .number()
      .positive()
      .max(1)
      .default(0.025)
      .describe("Adam's rate for what uncertainty and gradnorm learn; the GradNorm paper's, section 5.1, for both"),
    gradnormAlpha: z
      .number()
      .nonnegative()
      .default(1.5)
      .describe("how much longer the gradients of slow tasks shall be; the GradNorm paper's for NYUv2, and LIQE's"),
    weights: z
      .strictObject({ quality: weight.default(1), scene: weight.default(1), distortion: weight.default(1) })
      .refine((weights) => Object.values(weights).some((value) => value > 0), {
        error: "must have one above 0, or there is nothing to learn",
      })
      .readonly()
      .prefault({})
      .describe("factors of the tasks' losses, times what the weighting says"),
  })
  .refine((c) => c.weighting !== "single" || Object.values(c.weights).filter((value) => value > 0).length === 1, {
    path: ["weights"],
    error: "must have exactly one above 0 with `weighting: single`: it names the task",
  })
  .refine((c) => c.weighting !== "gradient-cosine" || c.weights.quality > 0, {
    path: ["weights", "quality"],
    error: "must be above 0 with `weighting: gradient-cosine`: quality is the task that the others are measured by",
  })
  .readonly();
export type LossesConfig = z.output<typeof LossesConfig>;

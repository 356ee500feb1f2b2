import { z } from "zod";

/** Factor of a task's loss. */
function weight(task: string) {
  return z.number().nonnegative().default(1).describe(`factor of the ${task} loss; 0: the task is not trained`);
}

/** Schema of the `losses` section: one loss a task, and the rule that weighs the tasks. */
export const LossesConfig = z
  .strictObject({
    quality: z.literal("fidelity").default("fidelity").describe("loss over all pairs of images of one database"),
    target: z
      .enum(["sign", "thurstone"])
      .default("sign")
      .describe("target of a pair: which MOS is higher, or how probably; the latter needs the deviations of the MOS"),
    pairWeight: z
      .enum(["none", "deviation"])
      .default("none")
      .describe("weight of a pair in its database's mean: equal, or by the precision of its two MOS"),
    tieMargin: z
      .number()
      .nonnegative()
      .default(0)
      .describe("two MOS that differ by less are a tie; in units of tieUnit. 0, the published loss: only equal ones"),
    tieUnit: z
      .enum(["scale", "deviation"])
      .default("scale")
      .describe("unit of tieMargin: span of a database's training scores, or deviation of the pair's difference"),
    scene: z.enum(["cross-entropy", "fidelity"]).default("cross-entropy").describe("loss of the scene labels"),
    distortion: z
      .enum(["cross-entropy", "fidelity", "fidelity-released"])
      .default("cross-entropy")
      .describe(
        "loss of the distortion labels; fidelity-released divides by the number of classes, as the released code",
      ),
    weighting: z
      .enum(["dwa", "equal", "uncertainty", "gradnorm", "gradient-cosine", "single"])
      .default("dwa")
      .describe(
        "task weights: dynamic weight average after each epoch; the factors below alone; learned log-variances; " +
          "gradients of equal length; auxiliary tasks by the cosine of their gradient with quality's; one task",
      ),
    weightingRate: z
      .number()
      .positive()
      .max(1)
      .default(0.025)
      .describe("Adam's rate for the state of uncertainty and gradnorm; from section 5.1 of the GradNorm paper"),
    gradnormAlpha: z
      .number()
      .nonnegative()
      .default(1.5)
      .describe("strength of longer gradients for slow tasks; the GradNorm paper's for NYUv2, and LIQE's"),
    weights: z
      .strictObject({ quality: weight("quality"), scene: weight("scene"), distortion: weight("distortion") })
      .refine((weights) => Object.values(weights).some((value) => value > 0), {
        error: "must have one above 0, or there is nothing to learn",
      })
      .readonly()
      .prefault({})
      .describe("factors of the tasks' losses, multiplied with those of the weighting"),
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

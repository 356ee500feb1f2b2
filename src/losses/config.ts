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
      .enum(["dwa", "equal"])
      .default("dwa")
      .describe("dynamic weight average after each epoch, or the weights below alone"),
    weights: z
      .strictObject({ quality: weight.default(1), scene: weight.default(1), distortion: weight.default(1) })
      .refine((weights) => Object.values(weights).some((value) => value > 0), {
        error: "must have one above 0, or there is nothing to learn",
      })
      .readonly()
      .prefault({})
      .describe("factors of the tasks' losses, times what the weighting says"),
  })
  .readonly();
export type LossesConfig = z.output<typeof LossesConfig>;

import { z } from "zod";
import { PROTOCOL_NAMES } from "./protocols.js";

/** Schema of a config's section `evaluate`: the measuring of checkpoints. */
export const EvaluateConfig = z.strictObject({
  crops: z
    .int()
    .positive()
    .default(15)
    .describe("windows scored of each image, spread over it; all of an image that has fewer"),
  protocol: z.enum(PROTOCOL_NAMES).default("liqe").describe("how predictions are mapped to MOS before PLCC and RMSE"),
  processes: z
    .union([z.literal("auto"), z.int().positive()])
    .optional()
    .describe("of earlier versions, without effect: one process encodes with all threads"),
  validationCrops: z.int().positive().default(15).describe("as crops, for validation while training"),
});
export type EvaluateConfig = Readonly<z.output<typeof EvaluateConfig>>;

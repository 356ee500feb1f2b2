import { z } from "zod";
import { TASKS } from "../../model/prompts/promptGrid.js";

/** A number for each task that is trained, as state.json has it. */
export const SavedTaskValues = z.partialRecord(z.enum(TASKS), z.number());

const AdamMoments = z.strictObject({
  /** Steps taken. */
  step: z.int().nonnegative(),
  first: SavedTaskValues,
  second: SavedTaskValues,
});
/** Adam's memory of a number a task. */
export type AdamMoments = Readonly<z.output<typeof AdamMoments>>;

/**
 * What a weighting has learned so far. Plain data in float64, which JSON keeps bit for bit: it is saved with the run's
 * progress, so that a resumed run goes on exactly.
 */
export const WeightingState = z.discriminatedUnion("weighting", [
  z.strictObject({ weighting: z.literal("uncertainty"), logVariances: SavedTaskValues, adam: AdamMoments }),
  z.strictObject({
    weighting: z.literal("gradnorm"),
    factors: SavedTaskValues,
    /** Of the run's first step. */
    firstLosses: SavedTaskValues,
    adam: AdamMoments,
  }),
]);
export type WeightingState = Readonly<z.output<typeof WeightingState>>;
export type UncertaintyState = Extract<WeightingState, { weighting: "uncertainty" }>;
export type GradNormState = Extract<WeightingState, { weighting: "gradnorm" }>;

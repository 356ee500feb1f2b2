import { z } from "zod";
import { ACTIVATIONS } from "./architecture/architecture.js";
import { PRESET_NAMES } from "./architecture/presets.js";
import { PUBLISHED_LABELS } from "./prompts/labels.js";
import { type PromptGrid, promptGrid, PUBLISHED_TEMPLATE } from "./prompts/promptGrid.js";

const TowerKind = z.strictObject({
  heads: z.int().positive().optional().describe("attention heads, a divisor of the tower's width"),
  activation: z.enum(ACTIVATIONS).optional().describe("activation of the tower's feed-forward layers"),
});

/** Section `model` of a config: the network to start from. */
export const ModelConfig = z
  .strictObject({
    preset: z
      .string()
      .optional()
      .describe(`${PRESET_NAMES.join(", ")}, or OpenAI's names`),
    weights: z.string().min(1).describe("a weight file, a run, a checkpoint folder, or none: start at random"),
    architecture: z
      .strictObject({ vision: TowerKind.optional(), text: TowerKind.optional() })
      .optional()
      .describe("what the weight file does not say; what contradicts it is refused"),
  })
  .refine((c) => c.weights !== "none" || c.preset !== undefined, {
    path: ["preset"],
    error: "is needed with `weights: none`: there is no file to read the architecture from",
  });
export type ModelConfig = Readonly<z.output<typeof ModelConfig>>;

const labelTable = z.array(z.string().min(1)).min(1);

/** Section `prompts` of a config; the template's placeholders decide the tasks. */
export const PromptsConfig = z.strictObject({
  template: z.string().default(PUBLISHED_TEMPLATE).describe("prompt; its placeholders decide the tasks"),
  qualities: labelTable.default([...PUBLISHED_LABELS.qualities]).describe("quality levels, worst first"),
  scenes: labelTable.default([...PUBLISHED_LABELS.scenes]).describe("scene classes"),
  distortions: z
    .record(z.string(), z.array(z.string().min(1)))
    .default(() => Object.fromEntries(Object.entries(PUBLISHED_LABELS.distortions).map(([k, v]) => [k, [...v]])))
    .describe("distortion classes, each with the types that lists may use for it"),
});
export type PromptsConfig = Readonly<z.output<typeof PromptsConfig>>;

/** @throws {ConfigError} see `promptGrid` */
export function gridOf({ template, ...labels }: PromptsConfig): PromptGrid {
  return promptGrid(template, labels);
}

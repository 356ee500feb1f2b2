import { z } from "zod";
import { CheckpointError } from "../base/errors.js";
import { PROMPT_AXES } from "../model/prompts/promptGrid.js";

/** The name of the file that describes an export; it stands beside the weights and is what readers begin with. */
export const EXPORT_MANIFEST = "manifest.json";

/** The formats of `liqe export`; each export is a folder of this name. */
const EXPORT_FORMATS = ["safetensors", "openai", "onnx", "tfjs"] as const;
export type ExportFormatName = (typeof EXPORT_FORMATS)[number];

/** How weights are stored; `int8` and `uint8` are weights alone, which are turned back before they are used. */
export const EXPORT_DTYPES = ["f32", "f16", "int8", "uint8"] as const;
export type ExportDtype = (typeof EXPORT_DTYPES)[number];

const size = z.int().positive();
const transformer = { width: size, layers: z.int().nonnegative(), heads: size };

/** What `manifest.json` of an export holds. Readers pass over keys that they do not know: later versions may add some. */
export const ExportManifest = z.object({
  manifestVersion: z.literal(1),
  format: z.enum(EXPORT_FORMATS),
  dtype: z.enum(EXPORT_DTYPES),
  /** What wrote it. */
  package: z.object({ name: z.string(), version: z.string() }),
  /** Every other file of the folder, by name. */
  files: z.record(z.string(), z.object({ bytes: z.int().nonnegative(), sha256: z.string().length(64) })),
  model: z.object({
    preset: z.string().nullable(),
    architecture: z.object({
      vision: z.object({
        ...transformer,
        imageSize: size,
        patchSize: size,
        stem: z.union([z.literal("patch"), z.array(z.object({ stride: size, width: size }))]),
      }),
      text: z.object({ ...transformer, contextLength: size, vocabulary: size }),
      embedding: size,
    }),
    parameters: size,
    /** What cosines are multiplied by. */
    logitScale: z.number(),
  }),
  prompts: z.object({
    template: z.string(),
    /** Slowest first, as the joint distribution has them. */
    axes: z.array(z.object({ axis: z.enum(PROMPT_AXES), labels: z.array(z.string()).min(1) })).min(1),
    /** The tables behind them, with the fine-grained types of each distortion. */
    tables: z.object({
      qualities: z.array(z.string()),
      scenes: z.array(z.string()),
      distortions: z.record(z.string(), z.array(z.string())),
    }),
  }),
  preprocessing: z.object({
    colour: z.literal("RGB"),
    /** An image whose shorter side has more pixels is reduced until it has so many. */
    reduceShorterSideTo: size,
    interpolation: z.string(),
    /** Side of a window in pixels: a smaller image must be enlarged first, or is refused. */
    window: size,
    stride: size,
    /** Where the longer side has at least so many pixels, windows are this far apart. */
    largeSide: size,
    largeStride: size,
    /** Of an image's windows, so many are scored: 0, 1, ... times floor(windows / crops), all where there are fewer. */
    crops: size,
    /** A pixel's value times this, minus the mean, over the deviation. */
    scale: z.number(),
    mean: z.array(z.number()).length(3),
    std: z.array(z.number()).length(3),
    /** What is averaged over an image's crops. */
    averaged: z.literal("logits"),
  }),
  score: z.object({
    name: z.literal("quality"),
    low: z.number(),
    high: z.number(),
    direction: z.literal("higher is better"),
  }),
  /** Null where the weights came without a record of their training. */
  training: z.record(z.string(), z.unknown()).nullable(),
  /** What the runtime that read the export back gave, beside `golden.json`. Not yet there while it is being checked. */
  parity: z
    .object({
      runtime: z.string(),
      tolerance: z.object({ quality: z.number(), probability: z.number() }),
      largestDifference: z.object({ quality: z.number(), probability: z.number() }),
    })
    .optional(),
  /** Where to read what may be done with the weights. */
  licence: z.string(),
});
export type ExportManifest = z.output<typeof ExportManifest>;

/**
 * @param where  the file or address, for messages
 * @throws {CheckpointError} naming what does not fit
 */
export function parseExportManifest(where: string, json: unknown): ExportManifest {
  const result = ExportManifest.safeParse(json);
  if (result.success) return result.data;
  const problems = result.error.issues.map((issue) => `${issue.path.join(".") || "(top level)"}: ${issue.message}`);
  throw new CheckpointError(`${where}: is no export's manifest of version 1: ${problems.join("; ")}`);
}

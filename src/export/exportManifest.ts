/** Schema of an export's `manifest.json`; its plain type is in inference/manifest.ts. */
import { readFile } from "node:fs/promises";
import path from "node:path";
import { z } from "zod";
import { CheckpointError } from "../base/errors.js";
import {
  EXPORT_DTYPES,
  EXPORT_FORMATS,
  type ExportManifest,
  MANIFEST_FILE,
  MANIFEST_VERSIONS,
} from "../inference/manifest.js";
import { ACTIVATIONS, type VisionKind } from "../model/architecture/architecture.js";
import { TASKS } from "../model/prompts/promptGrid.js";

const size = z.int().positive();
const transformer = {
  width: size,
  layers: z.int().nonnegative(),
  heads: size,
  activation: z.enum(ACTIVATIONS).default("quick-gelu"), // not in the first exports, which knew this one alone
  mlpWidth: size.optional(),
};
/** Image encoders by their kind: one that is missing here is one that no export could describe. */
const VISION = {
  resnet: z.object({
    kind: z.literal("resnet"),
    imageSize: size,
    width: size,
    stages: z.array(size).length(4),
    heads: size,
  }),
  siglip: z.object({ ...transformer, kind: z.literal("siglip"), imageSize: size, patchSize: size }),
  vit: z.object({
    ...transformer,
    kind: z.literal("vit").optional(),
    imageSize: size,
    patchSize: size,
    stem: z.union([z.literal("patch"), z.array(z.object({ stride: size, width: size }))]),
  }),
} satisfies Readonly<Record<VisionKind, z.ZodType>>;

const differences = z.object({ quality: z.number(), probability: z.number() });

export const ManifestSchema = z.object({
  manifestVersion: z.literal(MANIFEST_VERSIONS),
  format: z.enum(EXPORT_FORMATS),
  dtype: z.enum(EXPORT_DTYPES),
  exact: z.array(z.string()).optional(),
  package: z.object({ name: z.string(), version: z.string() }),
  files: z.record(z.string(), z.object({ bytes: z.int().nonnegative(), sha256: z.string().length(64) })),
  model: z.object({
    preset: z.string().nullable(),
    architecture: z.object({
      vision: z.union([VISION.resnet, VISION.siglip, VISION.vit]),
      text: z.object({ kind: z.literal("siglip").optional(), ...transformer, contextLength: size, vocabulary: size }),
      embedding: size,
    }),
    parameters: size,
    logitScale: z.number(),
  }),
  prompts: z.object({
    template: z.string(),
    axes: z.array(z.object({ axis: z.enum(TASKS), labels: z.array(z.string()).min(1) })).min(1),
    tables: z.object({
      qualities: z.array(z.string()),
      scenes: z.array(z.string()),
      distortions: z.record(z.string(), z.array(z.string())),
    }),
  }),
  preprocessing: z.object({
    colour: z.literal("RGB"),
    reduceShorterSideTo: size,
    interpolation: z.string(),
    window: size,
    stride: size,
    largeSide: size,
    largeStride: size,
    crops: size,
    scale: z.number(),
    mean: z.array(z.number()).length(3),
    std: z.array(z.number()).length(3),
    averaged: z.literal("logits"),
  }),
  score: z.object({
    name: z.literal("quality"),
    low: z.number(),
    high: z.number(),
    direction: z.literal("higher is better"),
  }),
  training: z.record(z.string(), z.unknown()).nullable(),
  parity: z.object({ runtime: z.string(), tolerance: differences, largestDifference: differences }).optional(),
  licence: z.string(),
}) satisfies z.ZodType<ExportManifest>;

/** @param where  file or address, for messages @throws {CheckpointError} naming everything that does not fit */
export function parseExportManifest(where: string, json: unknown): ExportManifest {
  const result = ManifestSchema.safeParse(json);
  if (result.success) return result.data;
  const problems = result.error.issues.map((issue) => `${issue.path.join(".") || "(top level)"}: ${issue.message}`);
  throw new CheckpointError(
    `${where}: is no export's manifest of version ${MANIFEST_VERSIONS.join(" or ")}: ${problems.join("; ")}`,
  );
}

export async function readExportManifest(folder: string): Promise<ExportManifest> {
  const file = path.join(folder, MANIFEST_FILE);
  return parseExportManifest(file, JSON.parse(await readFile(file, "utf8")));
}

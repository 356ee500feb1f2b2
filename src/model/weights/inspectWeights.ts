import { sha256OfFile } from "../../base/files.js";
import type { Architecture } from "../architecture/architecture.js";
import { type PresetName, presetOf } from "../architecture/presets.js";
import { countParameters } from "../parameters/shapes.js";
import type { Dtype } from "./dtypes.js";
import { openParameters } from "./loadParameters.js";
import { recognize } from "./published.js";
import type { ReadWeightsOptions, Weights } from "./readWeights.js";

/** What `liqe weights inspect` tells about a file. */
export interface WeightsReport extends Pick<Weights, "file" | "format" | "naming" | "wrappers" | "metadata"> {
  readonly sha256: string;
  /** Name of OpenAI's published file that this is, or null. */
  readonly published: string | null;
  readonly preset: PresetName | null;
  readonly architecture: Architecture;
  /** How many numbers all parameters hold. */
  readonly parameters: number;
  /** How many parameters are stored in each type. */
  readonly dtypes: Readonly<Partial<Record<Dtype, number>>>;
  /** What cosines are multiplied by; the file stores its logarithm. */
  readonly logitScale: number;
  readonly tensors: readonly { readonly name: string; readonly dtype: Dtype; readonly shape: readonly number[] }[];
}

/**
 * Reads a CLIP checkpoint through, one tensor at a time: that every value is finite is part of what is told.
 *
 * @throws {CheckpointError} when the file would be refused for training too
 */
export async function inspectWeights(file: string, options: ReadWeightsOptions = {}): Promise<WeightsReport> {
  const { weights, architecture, shapes, read, close } = await openParameters(file, options);
  try {
    let logLogitScale = NaN;
    for (const name of shapes.keys()) {
      const values = await read(name);
      if (name === "logit_scale") logLogitScale = values[0] ?? NaN;
    }
    const sha256 = await sha256OfFile(file);
    const tensors = [...weights.names].map(([name, { dtype, shape }]) => ({ name, dtype, shape }));
    const { format, naming, wrappers, metadata } = weights;
    return {
      ...{ file, format, naming, wrappers, metadata, sha256, published: recognize(sha256)?.file ?? null },
      preset: presetOf(architecture),
      architecture,
      parameters: countParameters(shapes),
      dtypes: countDtypes(tensors.map(({ dtype }) => dtype)),
      logitScale: Math.exp(logLogitScale),
      tensors,
    };
  } finally {
    await close();
  }
}

function countDtypes(dtypes: readonly Dtype[]): Partial<Record<Dtype, number>> {
  const counts: Partial<Record<Dtype, number>> = {};
  for (const dtype of dtypes) counts[dtype] = (counts[dtype] ?? 0) + 1;
  return counts;
}

import { sha256OfFile } from "../../base/files.js";
import type { Architecture, KnownKind } from "../architecture/architecture.js";
import { type PresetName, presetOf } from "../architecture/presets.js";
import { countParameters } from "../parameters/shapes.js";
import type { Dtype } from "./dtypes.js";
import type { KindSources } from "./kind/encoderKind.js";
import { openParameters, tokenizerOf } from "./loadParameters.js";
import { recognize } from "./published.js";
import type { ReadWeightsOptions, Weights } from "./readWeights.js";

/** Report of `liqe weights inspect` about a file. */
export interface WeightsReport
  extends Pick<Weights, "file" | "format" | "naming" | "wrappers" | "metadata">, KindSources {
  readonly sha256: string;
  /** Name of OpenAI's published file that this is, or null. */
  readonly published: string | null;
  readonly preset: PresetName | null;
  readonly architecture: Architecture & {
    /** `activation` of a ResNet is `relu`; `window` is a side in pixels. */
    readonly vision: {
      readonly kind: "vit" | "resnet" | "siglip";
      readonly activation: string;
      readonly window: number;
    };
  };
  /** File of the tokenizer that belongs to the weights: null where there is none beside them; CLIP's is built in. */
  readonly tokenizer: string | null;
  /** Elements of all parameters. */
  readonly parameters: number;
  /** Parameters stored in each type. */
  readonly dtypes: Readonly<Partial<Record<Dtype, number>>>;
  /** Factor from cosines to logits; the file stores its logarithm. */
  readonly logitScale: number;
  readonly tensors: readonly { readonly name: string; readonly dtype: Dtype; readonly shape: readonly number[] }[];
}

interface InspectOptions extends ReadWeightsOptions {
  readonly kind?: KnownKind;
}

/** Reads a CLIP checkpoint through. @throws {CheckpointError} when it would be refused for training, as for a NaN */
export async function inspectWeights(file: string, options: InspectOptions = {}): Promise<WeightsReport> {
  const { weights, architecture, sources, assumed, shapes, read, close } = await openParameters(file, options);
  try {
    let logLogitScale = NaN;
    for (const name of shapes.keys()) {
      const values = await read(name);
      if (name === "logit_scale") logLogitScale = values[0] ?? NaN;
    }
    const sha256 = await sha256OfFile(file);
    const tensors = [...weights.names].map(([name, { dtype, shape }]) => ({ name, dtype, shape }));
    const dtypes: Partial<Record<Dtype, number>> = {};
    for (const { dtype } of tensors) dtypes[dtype] = (dtypes[dtype] ?? 0) + 1;
    const { format, naming, wrappers, metadata } = weights;
    return {
      ...{ file, format, naming, wrappers, metadata, sha256, published: recognize(sha256)?.file ?? null },
      preset: presetOf(architecture),
      architecture: {
        ...architecture,
        vision: describedVision(architecture.vision),
      },
      ...{ sources, assumed },
      tokenizer: await tokenizerName(file, architecture),
      parameters: countParameters(shapes),
      dtypes,
      logitScale: Math.exp(logLogitScale),
      tensors,
    };
  } finally {
    await close();
  }
}

async function tokenizerName(file: string, architecture: Architecture): Promise<string | null> {
  if (architecture.text.kind === undefined) return "CLIP's";
  const [name] = (await tokenizerOf(file, architecture))?.files.keys() ?? [];
  return name ?? null;
}

function describedVision(vision: Architecture["vision"]) {
  const window = vision.imageSize;
  if (vision.kind === "resnet") return { ...vision, activation: "relu", window };
  return vision.kind === "siglip" ? { ...vision, window } : { ...vision, kind: "vit" as const, window };
}

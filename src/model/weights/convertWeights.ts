import { realpath } from "node:fs/promises";
import path from "node:path";
import { ConfigError } from "../../base/errors.js";
import { writeFileAtomic } from "../../base/files.js";
import { makeFolders } from "../../base/folders.js";
import type { ReportProgress } from "../../base/types.js";
import { kindOf, type KnownKind } from "../architecture/architecture.js";
import { countParameters } from "../parameters/shapes.js";
import { assumptionNote, kindMetadata } from "./kind/encoderKind.js";
import { openParameters } from "./loadParameters.js";
import type { ReadWeightsOptions } from "./readWeights.js";
import { streamSafetensors } from "./safetensors.js";

interface ConvertOptions extends ReadWeightsOptions {
  /** These two: see `openParameters`. */
  readonly imageSize?: number;
  readonly kind?: KnownKind;
  readonly report: ReportProgress;
}

/**
 * Writes a CLIP checkpoint of any format as safetensors, whole or not at all: OpenAI's names, float32, tensor by tensor.
 * @returns line on what was assumed, and is not recorded therefore; null where nothing was
 * @throws {CheckpointError} when the file is refused; `out` is untouched then
 * @throws {ConfigError} when `out` does not end in .safetensors, or is `file` itself
 */
export async function convertWeights(
  file: string,
  out: string,
  { report, ...options }: ConvertOptions,
): Promise<string | null> {
  if (!out.endsWith(".safetensors")) {
    throw new ConfigError(`${out}: what is written is safetensors; give it a name that ends in .safetensors`);
  }
  if (await isSameFile(file, out)) throw new ConfigError(`${out}: is the file that is read; give another one (--out)`);
  const { architecture, assumed, shapes, read, close } = await openParameters(file, options);
  const total = Float32Array.BYTES_PER_ELEMENT * countParameters(shapes);
  let done = 0;
  const values = async (name: string) => {
    const array = await read(name);
    done += array.byteLength;
    report({ label: "convert", done, total, unit: "bytes" });
    return array;
  };
  try {
    await makeFolders(path.dirname(out));
    const metadata = { format: "pt", ...kindMetadata(kindOf(architecture), assumed) }; // PyTorch's programs look for the format
    await writeFileAtomic(out, (handle) => streamSafetensors(handle, { shapes, values, metadata }));
    return assumptionNote(file, architecture, assumed);
  } finally {
    await close();
  }
}

async function isSameFile(one: string, other: string): Promise<boolean> {
  const [first, second] = await Promise.all([one, other].map((file) => realpath(file).catch(() => null)));
  return first !== null && first === second;
}

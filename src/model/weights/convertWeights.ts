import { readFile, realpath } from "node:fs/promises";
import path from "node:path";
import { ConfigError } from "../../base/errors.js";
import { writeFileAtomic } from "../../base/files.js";
import { makeFolders } from "../../base/folders.js";
import type { ReportProgress } from "../../base/types.js";
import { kindOf, type KnownKind } from "../architecture/architecture.js";
import { countParameters } from "../parameters/shapes.js";
import { assumptionNote, kindMetadata } from "./kind/encoderKind.js";
import type { NamedArray } from "../parameters/parameters.js";
import type { TextTokenizer } from "../text/tokenizer.js";
import { openParameters, tokenizerOf } from "./loadParameters.js";
import type { ReadWeightsOptions } from "./readWeights.js";
import { streamSafetensors, writeSafetensors } from "./safetensors.js";
import { ALL_TOKENIZER_FILES, writeTokenizer } from "./tokenizer/readTokenizer.js";
import { inFileNames } from "./transformersNames.js";

interface ConvertOptions extends ReadWeightsOptions {
  /** These two: see `openParameters`. */
  readonly imageSize?: number;
  readonly kind?: KnownKind;
  readonly report: ReportProgress;
}

/**
 * Writes a CLIP checkpoint of any format as safetensors, whole or not at all: OpenAI's names, float32, tensor by tensor.
 * A SigLIP has transformers' names, and its tokenizer is written beside it.
 * @returns line on what was assumed, and is not recorded therefore; null where nothing was
 * @throws {CheckpointError} when the file is refused; `out` is untouched then
 * @throws {ConfigError} when `out` does not end in .safetensors, is `file` itself, or is beside another tokenizer
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
    const tokenizer = await tokenizerOf(file, architecture);
    if (tokenizer !== null) await checkPlace(out, tokenizer);
    const metadata = { format: "pt", ...kindMetadata(kindOf(architecture), assumed) }; // PyTorch's programs look for the format
    if (architecture.vision.kind === "siglip") {
      const arrays = new Map<string, NamedArray>(); // all of them, as theirs have other layouts
      for (const [name, shape] of shapes) arrays.set(name, { shape, values: await values(name) });
      await writeFileAtomic(out, (handle) => writeSafetensors(handle, inFileNames(arrays), metadata));
    } else await writeFileAtomic(out, (handle) => streamSafetensors(handle, { shapes, values, metadata }));
    if (tokenizer !== null) await writeTokenizer(path.dirname(out), tokenizer);
    return assumptionNote(file, architecture, assumed);
  } finally {
    await close();
  }
}

/** @throws {ConfigError} where a file of another tokenizer is there */
async function checkPlace(out: string, { files }: TextTokenizer): Promise<void> {
  for (const name of ALL_TOKENIZER_FILES) {
    const there = await readFile(path.join(path.dirname(out), name)).catch(() => null);
    const own = files.get(name);
    if (there === null || (own !== undefined && there.equals(own))) continue;
    throw new ConfigError(`${out}: ${name} of another tokenizer is beside it; give a folder of its own`);
  }
}

async function isSameFile(one: string, other: string): Promise<boolean> {
  const [first, second] = await Promise.all([one, other].map((file) => realpath(file).catch(() => null)));
  return first !== null && first === second;
}

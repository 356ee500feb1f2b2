import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { writeDurable } from "../../src/base/files.js";
import type { NamedArray } from "../../src/model/parameters/parameters.js";
import { sizeOf } from "../../src/model/parameters/shapes.js";
import { writeSafetensors } from "../../src/model/weights/safetensors.js";

/** Small encoder of a family, with what PyTorch computes of it: scripts/reference/encoder_kinds.py says how. */
export interface EncoderFamily {
  /** Configs that lie beside the weights, by name. */
  readonly files: Readonly<Record<string, Readonly<Record<string, unknown>>>>;
  /** Name of the weight file. */
  readonly weights: string;
  readonly shapes: Readonly<Record<string, readonly number[]>>;
  /** [crops, embedding], unit rows. */
  readonly imageFeatures: readonly number[];
  /** [prompts, embedding], unit rows. */
  readonly textFeatures: readonly number[];
  /** Of Σ image features · uniform("a") + Σ text features · uniform("b"): norm, and products with three vectors. */
  readonly gradients: Readonly<Record<string, { readonly norm: number; readonly products: readonly number[] }>>;
  /** Factor of what a SigLIP's parts add to its states, a power of 2; 1 by default. */
  readonly factor?: number;
  /** Tokenizer among the fixture's, of a SigLIP. */
  readonly tokenizer?: string;
}

/** Tokenizer as Python's programs wrote it, and the tokens that they make of texts. */
interface TokenizerFixture {
  readonly file: string;
  readonly base64: string;
  readonly texts: readonly string[];
  readonly tokens: readonly (readonly number[])[];
}

interface Fixture {
  readonly crops: number;
  readonly prompts: readonly (readonly number[])[];
  readonly tokenizers: Readonly<Record<string, TokenizerFixture>>;
  readonly families: Readonly<Record<string, EncoderFamily>>;
}

function fixture(name: string): Fixture {
  const file = new URL(`../fixtures/weights/${name}.json`, import.meta.url);
  return JSON.parse(readFileSync(file, "utf8")) as Fixture; // as the script writes it
}

export const ENCODER_KINDS = fixture("encoderKinds");

/** The same of modified ResNets: scripts/reference/resnet.py. */
export const RESNETS = fixture("resnets");

/** The same of SigLIPs of fixed resolution, with their tokenizers: scripts/reference/siglip.py. */
export const SIGLIPS = fixture("siglips");

/** Numbers from -1 to 1, a hash of a name and their places: the script's. */
export function uniform(name: string, count: number): Float64Array {
  let seed = 0;
  for (const letter of name) seed = (Math.imul(seed, 31) + letter.charCodeAt(0)) >>> 0;
  return Float64Array.from({ length: count }, (_, i) => {
    let x = (Math.imul(i, 2654435761) + seed) >>> 0;
    x = Math.imul(x ^ (x >>> 16), 0x85ebca6b);
    x = Math.imul(x ^ (x >>> 13), 0xc2b2ae35);
    return ((x ^ (x >>> 16)) >>> 0) / 2 ** 31 - 1;
  });
}

const known = new Map<string, NamedArray>();

/** A weight as the script makes it. */
export function weightOf(name: string, shape: readonly number[]): NamedArray {
  const key = `${name} ${shape.join()}`;
  const array = known.get(key) ?? { shape, values: Float32Array.from(scaled(name, shape)) };
  known.set(key, array);
  return array;
}

function times({ shape, values }: NamedArray, factor: number): NamedArray {
  return { shape, values: factor === 1 ? values : values.map((value) => value * factor) };
}

function scaled(name: string, shape: readonly number[]): ArrayLike<number> {
  if (name === "logit_scale") return [2.6593];
  const values = uniform(name, sizeOf(shape));
  if (name.endsWith("running_var")) return values.map((value) => 1 + 0.5 * value);
  if (shape.length === 1) return values.map((value) => value * 0.1 + (name.endsWith("weight") ? 1 : 0));
  if (name.includes("embedding") && !name.includes("patch")) return values.map((value) => value * 0.5);
  return values.map((value) => (value * 2) / Math.sqrt(sizeOf(shape.slice(1))));
}

/** Writes a family's folder, its configs changed by `change`, and returns its weight file. */
export async function writeFamily(
  folder: string,
  { files, weights, shapes, factor = 1, tokenizer }: EncoderFamily,
  change: (name: string, config: Readonly<Record<string, unknown>>) => unknown = (_, config) => config,
): Promise<string> {
  for (const [name, config] of Object.entries(files)) {
    const changed = change(name, config);
    if (changed !== null) writeFileSync(join(folder, name), JSON.stringify(changed));
  }
  const { file, base64 } = SIGLIPS.tokenizers[tokenizer ?? ""] ?? { file: null, base64: "" };
  if (file !== null) writeFileSync(join(folder, file), Buffer.from(base64, "base64"));
  const arrays = new Map(
    Object.entries(shapes).map(([name, shape]) => [
      name,
      times(weightOf(name, shape), /(patch|position|token)_embedding|out_proj|fc2/.test(name) ? factor : 1),
    ]),
  );
  await writeDurable(join(folder, weights), (handle) => writeSafetensors(handle, arrays));
  return join(folder, weights);
}

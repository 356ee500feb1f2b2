import { createHash } from "node:crypto";
import { existsSync, mkdirSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { gunzipSync } from "node:zlib";

/** Values of one LIQE step of a toy CLIP, by PyTorch and transformers: scripts/reference/liqe_tiny.py says how. */
export interface Golden {
  readonly meta: GoldenMeta;
  /** pixels, mos, mos_std, scene, distortion, tokens, used_token_ids */
  readonly inputs: ReadonlyMap<string, GoldenTensor>;
  /** image_features, text_features, logits, joint, quality, scene, distortion, loss.*, grad.*, after4.*, train.* */
  readonly expected: ReadonlyMap<string, GoldenTensor>;
}

export interface GoldenTensor {
  readonly shape: readonly number[];
  readonly values: Float32Array | Int32Array | Uint8Array;
}

export interface GoldenMeta {
  readonly template: string;
  readonly qualities: readonly string[];
  readonly scenes: readonly string[];
  readonly distortions: readonly string[];
  readonly patches_per_image: number;
  readonly images_per_database: readonly number[];
  readonly losses: Readonly<Record<string, number>>;
  readonly lrs: readonly number[];
  readonly totals: readonly number[];
  readonly weights: Readonly<Record<GoldenWeights, Packed>>;
  /** Parameter → where in weights-openai.pt its float16 values begin. */
  readonly before: Readonly<Record<string, number>>;
}

/** The three weight files; all hold the same values, OpenAI's two in float16, the other in float32. */
export type GoldenWeights = "weights-hf.safetensors" | "weights-openai.pt" | "weights-openai-jit.pt";

interface Packed {
  readonly kind: "f16" | "f32";
  readonly sha256: string;
  /** [offset in the file, first value, number of values]. */
  readonly holes: readonly (readonly [number, number, number])[];
}

const FOLDER = new URL("../fixtures/liqe-tiny/", import.meta.url);

let loaded: Golden | undefined;

/** The fixture, read once a process. Do not change its arrays. */
export function golden(): Golden {
  loaded ??= load();
  return loaded;
}

/** A tensor of the fixture. @throws when there is none of this name */
export function goldenTensor(tensors: ReadonlyMap<string, GoldenTensor>, name: string): GoldenTensor {
  const tensor = tensors.get(name);
  if (tensor === undefined) throw new Error(`golden: no tensor "${name}"; there are ${[...tensors.keys()].join(", ")}`);
  return tensor;
}

/** Path of one of the weight files as its program wrote it, unpacked when first asked for, once for all tests. */
export function goldenWeights(name: GoldenWeights): string {
  const packed = golden().meta.weights[name];
  const folder = join(process.env["LIQE_TEST_FOLDER"] ?? tmpdir(), "liqe-tiny-fixture");
  const path = join(folder, `${packed.sha256.slice(0, 12)}-${name}`);
  if (existsSync(path)) return path;
  const content = unpack(name, packed);
  const found = createHash("sha256").update(content).digest("hex");
  if (found !== packed.sha256) throw new Error(`golden: ${name} unpacks to ${found}, not ${packed.sha256}`);
  mkdirSync(folder, { recursive: true });
  const partial = `${path}.${process.pid}`;
  writeFileSync(partial, content);
  renameSync(partial, path);
  return path;
}

function load(): Golden {
  const meta = JSON.parse(readFileSync(new URL("meta.json", FOLDER), "utf8")) as GoldenMeta; // our own file
  const inputs = readTensors("inputs.safetensors.gz");
  const expected = readTensors("expected.safetensors.gz");
  const pt = unpack("weights-openai.pt", meta.weights["weights-openai.pt"]);
  const used = goldenTensor(inputs, "used_token_ids").values;
  const after4 = [...expected].flatMap(([name, { shape, values }]) => {
    if (!name.startsWith("moved4.")) return [];
    const parameter = name.slice("moved4.".length);
    const before = weightsBefore(pt, meta, parameter, used, values.length);
    const after = Float32Array.from(values, (moved, i) => moved + before(i));
    return [[`after4.${parameter}`, { shape, values: after }] as const];
  });
  return { meta, inputs, expected: new Map([...expected, ...after4]) };
}

/** The i-th value of a parameter in the .pt file; of the token embedding, of its rows in use. */
function weightsBefore(
  pt: Buffer,
  meta: GoldenMeta,
  parameter: string,
  used: ArrayLike<number>,
  size: number,
): (i: number) => number {
  const isRows = parameter === "token_embedding.used_rows";
  const offset = meta.before[isRows ? "token_embedding.weight" : parameter] ?? NaN;
  const width = size / used.length;
  const at = (i: number) => (isRows ? (used[Math.floor(i / width)] ?? NaN) * width + (i % width) : i);
  return (i) => halfToFloat(pt.readUInt16LE(offset + 2 * at(i)));
}

/** Fills the holes of a weight file's skeleton. */
function unpack(name: GoldenWeights, { kind, holes }: Packed): Buffer {
  const file = readGzip(`${name}.skeleton.gz`);
  const halves = shuffled(readGzip("values.f16.gz"), 2);
  for (const [offset, first, count] of holes) {
    for (let i = 0; i < count; i++) {
      const half = halves.readUInt16LE(2 * (first + i));
      if (kind === "f16") file.writeUInt16LE(half, offset + 2 * i);
      else file.writeFloatLE(halfToFloat(half), offset + 4 * i);
    }
  }
  return file;
}

/** A safetensors file whose data lie in four planes, as liqe_tiny_pack.py writes them. */
function readTensors(name: string): Map<string, GoldenTensor> {
  const file = readGzip(name);
  const start = 8 + Number(file.readBigUInt64LE(0));
  const header = JSON.parse(file.subarray(8, start).toString()) as Record<string, TensorInfo>; // our own file
  const data = shuffled(file.subarray(start), 4);
  return new Map(
    Object.entries(header).map(
      ([
        tensor,
        {
          dtype,
          shape,
          data_offsets: [begin, end],
        },
      ]) => {
        const bytes = new Uint8Array(data.subarray(begin, end)).buffer;
        const values = { F32: Float32Array, I32: Int32Array, U8: Uint8Array }[dtype];
        return [tensor, { shape, values: new values(bytes) }];
      },
    ),
  );
}

interface TensorInfo {
  readonly dtype: "F32" | "I32" | "U8";
  readonly shape: readonly number[];
  readonly data_offsets: readonly [number, number];
}

/** Undoes the planes: all first bytes, then all second bytes, ... become elements again. */
function shuffled(planes: Buffer, size: number): Buffer {
  const count = planes.length / size;
  const data = Buffer.alloc(planes.length);
  for (let plane = 0; plane < size; plane++) {
    for (let i = 0; i < count; i++) data[i * size + plane] = planes[plane * count + i] ?? 0;
  }
  return data;
}

function readGzip(name: string): Buffer {
  return gunzipSync(readFileSync(new URL(name, FOLDER)));
}

/** IEEE half precision by its definition, apart from the reader under test. */
function halfToFloat(half: number): number {
  const exponent = (half >> 10) & 31;
  const fraction = half & 1023;
  const size = exponent === 0 ? fraction * 2 ** -24 : (1 + fraction / 1024) * 2 ** (exponent - 15);
  return half & 0x8000 ? -size : size;
}

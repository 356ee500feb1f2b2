/** Manifest of an export: its plain type, and the part that scoring needs, checked without a schema library. */
import { CheckpointError } from "../base/errors.js";
import {
  ACTIVATIONS,
  type Architecture,
  type ResNet,
  RESNET_REDUCTION,
  resNetOutput,
  TOWER_NAMES,
} from "../model/architecture/architecture.js";
import { LARGEST_WINDOW } from "../model/preprocess/image.js";
import type { LabelTables } from "../model/prompts/labels.js";
import { type TaskAxis, TASKS } from "../model/prompts/promptGrid.js";

/** File that describes an export: it lies beside the weights, and readers begin with it. */
export const MANIFEST_FILE = "manifest.json";

/** Formats of `liqe export`; each export is a folder of this name. */
export const EXPORT_FORMATS = ["safetensors", "openai", "onnx", "tfjs", "hub"] as const;
export type ExportFormatName = (typeof EXPORT_FORMATS)[number];

/** Types of stored weights; `int8` and `uint8` are of the weights alone, which become floats before they are used. */
export const EXPORT_DTYPES = ["f32", "f16", "int8", "uint8"] as const;
export type ExportDtype = (typeof EXPORT_DTYPES)[number];

/** Versions that are read: 2 has an activation, or heads, that readers of 1 do not know of. */
export const MANIFEST_VERSIONS = [1, 2] as const;

/** Contents of an export's `manifest.json`. Readers skip unknown keys: later versions may add some. */
export interface ExportManifest {
  readonly manifestVersion: (typeof MANIFEST_VERSIONS)[number];
  readonly format: ExportFormatName;
  readonly dtype: ExportDtype;
  /** Matrices that are float32 in spite of `dtype`, as their rounding would show. */
  readonly exact?: readonly string[] | undefined;
  /** Program that wrote the export. */
  readonly package: { readonly name: string; readonly version: string };
  /** Every other file of the folder, by name. */
  readonly files: Readonly<Record<string, { readonly bytes: number; readonly sha256: string }>>;
  readonly model: {
    readonly preset: string | null;
    readonly architecture: Architecture;
    readonly parameters: number;
    /** Factor of the cosines. */
    readonly logitScale: number;
  };
  readonly prompts: {
    readonly template: string;
    /** Slowest first, as in the joint distribution. */
    readonly axes: readonly TaskAxis[];
    /** Label tables, with the fine-grained types of each distortion. */
    readonly tables: LabelTables;
  };
  readonly preprocessing: {
    readonly colour: "RGB";
    /** An image whose shorter side has more pixels is reduced to this many. */
    readonly reduceShorterSideTo: number;
    readonly interpolation: string;
    /** Side of a window in pixels: a smaller image must be enlarged first, or is refused. */
    readonly window: number;
    readonly stride: number;
    /** Number of pixels of the longer side from which windows are `largeStride` apart. */
    readonly largeSide: number;
    readonly largeStride: number;
    /** Number of windows that are scored: 0, 1, ... times floor(windows / crops); all where there are fewer. */
    readonly crops: number;
    /** A pixel's value is multiplied by this; then the mean is subtracted, and divided by the deviation. */
    readonly scale: number;
    readonly mean: readonly number[];
    readonly std: readonly number[];
    /** Quantity that is averaged over an image's crops. */
    readonly averaged: "logits";
  };
  readonly score: {
    readonly name: "quality";
    readonly low: number;
    readonly high: number;
    readonly direction: "higher is better";
  };
  /** Null where the weights came without a record of their training. */
  readonly training: Readonly<Record<string, unknown>> | null;
  /** Differences from `golden.json` by the runtime that read the export back; absent while it is being checked. */
  readonly parity?: Parity | undefined;
  /** File with the notes on what may be done with the weights. */
  readonly licence: string;
}

/** Largest differences of a runtime's scores from the golden ones, and the differences allowed. */
export interface Parity {
  readonly runtime: string;
  readonly tolerance: Differences;
  readonly largestDifference: Differences;
}

export interface Differences {
  /** Of the score, 1 to the number of levels: an image's and each crop's. */
  readonly quality: number;
  /** Of each label's probability, and of the most probable combination's. */
  readonly probability: number;
}

/** The part of the manifest that scoring needs. */
export type TfjsManifest = Pick<
  ExportManifest,
  "files" | "format" | "dtype" | "package" | "model" | "prompts" | "preprocessing" | "score" | "training" | "licence"
>;

type Rule = readonly [path: string, holds: (value: unknown) => boolean, wanted: string];

const isPositive = (value: unknown): boolean => Number.isFinite(value) && (value as number) > 0; // a number

/** Largest sizes that are read: a few times those of any published CLIP, so that a manifest alone cannot fill the memory. */
const MOST = {
  ...{
    layers: 1000,
    width: 65_536,
    heads: 1024,
    patchSize: LARGEST_WINDOW,
    imageSize: LARGEST_WINDOW,
    embedding: 65_536,
  },
  ...{ contextLength: 65_536, vocabulary: 10_000_000, levels: 16, crops: 100_000, prompts: 1_000_000 },
} as const;

const isIn = (values: readonly unknown[]) => (value: unknown) => values.includes(value);

const isFrom = (least: number, most: number) => (value: unknown) =>
  Number.isSafeInteger(value) && (value as number) >= least && (value as number) <= most; // an integer
const sizes = (prefix: string, names: readonly (keyof typeof MOST)[]): Rule[] =>
  names.map((name) => {
    const least = name === "layers" ? 0 : 1;
    return [`${prefix}.${name}`, isFrom(least, MOST[name]), `a whole number from ${least} to ${MOST[name]}`];
  });

/**
 * Rules for the values that are read here. The writers' zod schema is four times as large as all of this folder, and it
 * probes for `eval`, which a page's content security policy reports.
 */
const RULES: readonly Rule[] = [
  [
    "manifestVersion",
    isIn(MANIFEST_VERSIONS),
    `${MANIFEST_VERSIONS.join(" or ")}; newer exports need a newer liqe-train`,
  ],
  ["format", (value) => value === "tfjs", '"tfjs"; write one with `liqe export --format tfjs`'],
  ...sizes("model.architecture.vision", ["width", "heads", "imageSize"]),
  ...sizes("model.architecture.text", ["width", "layers", "heads", "contextLength", "vocabulary"]),
  ...sizes("model.architecture", ["embedding"]),
  ["model.logitScale", isPositive, "a number above 0"],
  ["prompts.axes", isAxes, `axes with their labels, quality among them, of ${MOST.prompts} prompts at most`],
  ["preprocessing.window", isFrom(1, LARGEST_WINDOW), `a whole number from 1 to ${LARGEST_WINDOW}`],
  ...sizes("preprocessing", ["crops"]),
  ["files", isFiles, "each file's size and SHA-256"],
];

const TRANSFORMER_RULES: readonly Rule[] = [
  ...sizes("model.architecture.vision", ["layers", "patchSize"]),
  ["model.architecture.vision.activation", isIn([undefined, ...ACTIVATIONS]), ACTIVATIONS.join(" or ")],
  ["model.architecture.vision.mlpWidth", isOptionalSize, `a whole number from 1 to ${MOST.width}`],
];

/** Rules of the kinds of image encoders. */
const VISION_RULES: Readonly<Record<"vit" | "resnet" | "siglip", readonly Rule[]>> = {
  siglip: TRANSFORMER_RULES,
  vit: [
    ["model.architecture.vision.kind", isIn([undefined, "vit"]), "vit, resnet or siglip"],
    ...TRANSFORMER_RULES,
    ["model.architecture.vision.stem", isStem, `"patch" or a list of 1 to ${MOST.levels} levels`],
  ],
  resnet: [["model.architecture.vision.stages", isStages, `four whole numbers from 1 to ${MOST.layers}`]],
};

function isStages(value: unknown): boolean {
  return Array.isArray(value) && value.length === 4 && value.every(isFrom(1, MOST.layers));
}

/**
 * Checks a manifest of the file or address `where`, before anything of the sizes that it names is made.
 * @throws {CheckpointError} naming everything that does not fit
 */
export function readManifest(where: string, json: unknown): TfjsManifest {
  const named = at(json, "model.architecture.vision.kind");
  const kind = named === "resnet" || named === "siglip" ? named : "vit";
  const wrong = [...RULES, ...VISION_RULES[kind]]
    .filter(([path, holds]) => !holds(at(json, path)))
    .map(([path, , wanted]) => `${path} is ${shown(at(json, path))}, not ${wanted}`);
  const manifest = json as TfjsManifest; // where nothing is wrong: every value that is read of it was checked
  const problems = wrong.length === 0 ? contradictions(manifest) : wrong;
  if (problems.length === 0) return withActivations(manifest);
  throw new CheckpointError(`${where}: cannot be read as an export's manifest: ${problems.join("; ")}`);
}

/** A manifest with the activation that its first writers did not name, since they knew it alone. */
function withActivations(manifest: TfjsManifest): TfjsManifest {
  const { architecture } = manifest.model;
  const usual = { activation: "quick-gelu" };
  const isResNet = architecture.vision.kind === "resnet";
  const towers = TOWER_NAMES.filter((tower) => !(isResNet && tower === "vision")).map((tower) => [
    tower,
    { ...usual, ...architecture[tower] },
  ]);
  const named = { ...architecture, ...Object.fromEntries(towers) } as Architecture; // both towers, each with all it had
  return { ...manifest, model: { ...manifest.model, architecture: named } };
}

/** Sizes of an image encoder and its windows that contradict each other. */
function contradictions({ model, preprocessing: { window } }: TfjsManifest): string[] {
  const { vision } = model.architecture;
  const problems: string[] = [];
  const { imageSize } = vision;
  if (window !== imageSize) problems.push(`windows have ${window} pixels, the image encoder reads ${imageSize}`);
  if (vision.kind === "resnet") return [...problems, ...resNetContradictions(vision)];
  const { width, heads, patchSize } = vision;
  if (width % heads !== 0) problems.push(`${heads} heads do not divide the width ${width}`);
  if (imageSize % patchSize !== 0)
    problems.push(`patches of ${patchSize} pixels do not divide a window of ${imageSize}`);
  if (vision.kind === "siglip") {
    const { embedding } = model.architecture;
    return embedding === width ? problems : [...problems, `features of ${width} numbers are not ${embedding} long`];
  }
  if (vision.stem === "patch") return problems;
  const { stem } = vision;
  const stride = stem.reduce((product, level) => product * level.stride, 1);
  const last = stem.at(-1)?.width;
  if (stride !== patchSize) problems.push(`the stem's strides make ${stride}, its patches have ${patchSize} pixels`);
  if (last !== width) problems.push(`the stem ends with a width of ${last ?? 0}, the blocks have ${width}`);
  return problems;
}

function resNetContradictions(vision: ResNet): string[] {
  const { width, heads, imageSize } = vision;
  const output = resNetOutput(vision);
  return [
    ...(width % 2 === 0 ? [] : [`a width of ${width} has no half`]),
    ...(output % heads === 0 ? [] : [`${heads} heads do not divide the width ${output}`]),
    ...(imageSize % RESNET_REDUCTION === 0
      ? []
      : [`${RESNET_REDUCTION} pixels do not divide a window of ${imageSize}`]),
  ];
}

/** Value under a path of keys; undefined where there is none. */
function at(json: unknown, path: string): unknown {
  return path.split(".").reduce<unknown>((value, key) => (isRecord(value) ? value[key] : undefined), json);
}

function shown(value: unknown): string {
  const text = value === undefined ? "missing" : JSON.stringify(value);
  return text.length > 40 ? `${text.slice(0, 40)}...` : text;
}

function isStem(value: unknown): boolean {
  if (value === "patch") return true;
  if (!Array.isArray(value) || value.length === 0 || value.length > MOST.levels) return false;
  const [isStride, isWidth] = [isFrom(1, MOST.patchSize), isFrom(1, MOST.width)];
  return value.every((level) => isStride(at(level, "stride")) && isWidth(at(level, "width")));
}

function isOptionalSize(value: unknown): boolean {
  return value === undefined || isFrom(1, MOST.width)(value);
}

function isAxes(value: unknown): boolean {
  if (!Array.isArray(value) || !value.some((entry) => at(entry, "axis") === "quality")) return false;
  const prompts = value.reduce((product: number, entry: unknown) => {
    const labels = at(entry, "labels");
    return product * (Array.isArray(labels) ? labels.length : NaN);
  }, 1);
  if (!(prompts <= MOST.prompts)) return false;
  return value.every((entry) => {
    const labels = at(entry, "labels");
    const isKnown = TASKS.some((axis) => axis === at(entry, "axis"));
    return isKnown && Array.isArray(labels) && labels.length > 0 && labels.every((label) => typeof label === "string");
  });
}

function isFiles(value: unknown): boolean {
  if (!isRecord(value)) return false;
  return Object.values(value).every((file) => {
    const [bytes, sha256] = [at(file, "bytes"), at(file, "sha256")];
    return isFrom(0, Number.MAX_SAFE_INTEGER)(bytes) && typeof sha256 === "string" && /^[0-9a-f]{64}$/.test(sha256);
  });
}

export function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null;
}

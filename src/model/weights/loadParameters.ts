import { concatenated } from "../../base/collections.js";
import { type Architecture, type KnownKind, RESNET_REDUCTION } from "../architecture/architecture.js";
import { differencesFrom, inferArchitecture, someOf } from "../architecture/inferArchitecture.js";
import { presetArchitecture, presetName, presetOf } from "../architecture/presets.js";
import { LEARNED, PROMPT_FEATURES, PROMPTS_RECORD } from "../parameters/learnedPrompts.js";
import type { NamedArray } from "../parameters/parameters.js";
import { parameterShapes, RESNET_POSITIONS, type Shapes, VIT_POSITIONS } from "../parameters/shapes.js";
import type { TextTokenizer } from "../text/tokenizer.js";
import { rejectFile } from "./byteSource.js";
import { checkClaims, claimsOf, kindBy, type KindSources } from "./kind/encoderKind.js";
import { readTokenizer } from "./tokenizer/readTokenizer.js";
import { readWeights, type ReadWeightsOptions, type Weights } from "./readWeights.js";

interface LoadOptions extends ReadWeightsOptions {
  /** Preset that the weights must have; a file of another architecture is refused. */
  readonly preset?: string;
  /** Kind that was asked for where the file does not say it; a contradiction is refused. */
  readonly kind?: KnownKind | undefined;
  /** Input size, in pixels, to which the image position embedding is interpolated; by default the file's own. */
  readonly imageSize?: number;
}

/** Open CLIP checkpoint: every parameter is there and fits. */
interface OpenParameters extends KindSources {
  readonly weights: Weights;
  readonly architecture: Architecture;
  readonly shapes: Shapes;
  /** Reads one parameter from the file, row-major float32, given to the caller. */
  readonly read: (name: string) => Promise<Float32Array>;
  readonly close: () => Promise<void>;
}

/**
 * Opens a weight file as a CLIP and reads off its architecture; values are read on request. The caller closes it.
 * @throws {CheckpointError} when the file is refused, is no CLIP that is known here, or is not the preset
 * @throws {ConfigError} when there is no such preset
 */
export async function openParameters(file: string, options: LoadOptions = {}): Promise<OpenParameters> {
  const weights = await readWeights(file, options);
  try {
    const claims = await claimsOf(weights, options.kind);
    const shapes = new Map([...weights.names].map(([name, { shape }]) => [name, shape]));
    const found = inferArchitecture(shapes, file, kindBy(claims));
    const said = checkClaims(file, found, claims);
    const architecture = resized(file, found, options.imageSize);
    if (options.preset !== undefined) checkPreset(file, architecture, options.preset);
    const read = async (name: string) => {
      const values = await weights.read(name);
      if (name === "logit_scale") checkLogitScale(file, values[0] ?? NaN);
      const isResized = [VIT_POSITIONS, RESNET_POSITIONS].includes(name) && architecture !== found;
      if (!isResized) return values;
      const resize = found.vision.kind === "siglip" ? resizeGrid : resizePositions;
      return resize(values, gridSide(found), gridSide(architecture));
    };
    const close = () => weights.close();
    return { weights, architecture, ...said, shapes: parameterShapes(architecture), read, close };
  } catch (error) {
    await weights.close();
    throw error;
  }
}

/** Logarithm that no factor of a trained model's logits comes near: CLIP's ends at ln 100. */
const MOST_LOGIT_SCALE = Math.log(10_000);

/** @throws {CheckpointError} for a factor in place of its logarithm: e to the power of 100 is infinite in float32 */
function checkLogitScale(file: string, stored: number): void {
  if (stored <= MOST_LOGIT_SCALE) return;
  rejectFile(
    file,
    `logit_scale is ${stored}, and CLIP's files hold the factor's logarithm: is that the factor itself? Then store ${Math.log(stored)}`,
  );
}

/** CLIP checkpoint, read whole. */
interface LoadedParameters extends KindSources {
  readonly architecture: Architecture;
  readonly parameters: Map<string, NamedArray>;
  /**
   * Features of prompts that the file stores beside its weights, [prompts, embedding]; null for none. Where its metadata
   * say that they were learned, they are among the parameters instead.
   */
  readonly storedFeatures: NamedArray | null;
  /** Tokenizer beside a SigLIP; null where there is none, and for CLIP, which has one everywhere. */
  readonly tokenizer: TextTokenizer | null;
}

/** Reads all of a CLIP checkpoint. @throws {CheckpointError} see `openParameters`; also for non-finite values */
export async function loadParameters(file: string, options: LoadOptions = {}): Promise<LoadedParameters> {
  const { weights, architecture, sources, assumed, shapes, read, close } = await openParameters(file, options);
  try {
    const { storedFeatures: stored, metadata } = weights;
    const features = stored === null ? null : { shape: stored.shape, values: await weights.read(stored.name) };
    const isLearned = metadata[PROMPTS_RECORD] === LEARNED;
    const parameters = new Map<string, NamedArray>();
    for (const [name, shape] of shapes) parameters.set(name, { shape, values: await read(name) });
    if (features !== null && isLearned) parameters.set(PROMPT_FEATURES, features);
    const storedFeatures = isLearned ? null : features;
    const tokenizer = await tokenizerOf(file, architecture);
    return { architecture, sources, assumed, parameters, storedFeatures, tokenizer };
  } finally {
    await close();
  }
}

/** Tokenizer beside weights that have their own; null for others. @throws {CheckpointError} where it is refused */
export async function tokenizerOf(file: string, { text }: Architecture): Promise<TextTokenizer | null> {
  return text.kind === undefined ? null : readTokenizer(file, text.vocabulary);
}

/** Refuses a file that is not the preset. @throws {CheckpointError} naming the differences */
export function checkPreset(file: string, architecture: Architecture, preset: string): void {
  const differences = differencesFrom(parameterShapes(presetArchitecture(preset)), parameterShapes(architecture));
  if (differences.length === 0) return;
  const found = presetOf(architecture) ?? "another architecture";
  rejectFile(file, `holds ${found}, not ${presetName(preset)}: ${someOf(differences)}; set model.preset to what it is`);
}

function resized(file: string, architecture: Architecture, imageSize: number | undefined): Architecture {
  const { vision } = architecture;
  if (imageSize === undefined || imageSize === vision.imageSize) return architecture;
  const step = stepOf(vision);
  if (!Number.isInteger(imageSize / step) || imageSize <= 0) {
    rejectFile(file, `takes images in multiples of ${step} pixels, not of ${imageSize}`);
  }
  return { ...architecture, vision: { ...vision, imageSize } };
}

function gridSide({ vision }: Architecture): number {
  return vision.imageSize / stepOf(vision);
}

/** Pixels along a side that one place of the position embedding stands for. */
function stepOf(vision: Architecture["vision"]): number {
  return vision.kind === "resnet" ? RESNET_REDUCTION : vision.patchSize;
}

/** Free parameter of the cubic, as in PyTorch. */
const CUBIC = -0.75;

/**
 * Interpolates an image position embedding to another grid: bicubic, half-pixel centers, edges repeated, as
 * `torch.nn.functional.interpolate(mode="bicubic", align_corners=False)`. The class's row is unchanged.
 * @param values [1 + from·from, width], row-major, borrowed
 * @returns [1 + to·to, width], given
 */
export function resizePositions(values: Float32Array, from: number, to: number): Float32Array {
  const width = values.length / (1 + from * from);
  return concatenated(Float32Array, [values.subarray(0, width), resizeGrid(values.subarray(width), from, to)]);
}

/** The same without a class's row: [from·from, width] → [to·to, width], given. */
function resizeGrid(values: Float32Array, from: number, to: number): Float32Array {
  const width = values.length / (from * from);
  const resized = new Float32Array(to * to * width);
  const taps = Array.from({ length: to }, (_, i) => cubicTaps(((i + 0.5) * from) / to - 0.5, from));
  for (const [row, rowTaps] of taps.entries()) {
    for (const [col, colTaps] of taps.entries()) {
      const target = (row * to + col) * width;
      for (const [r, rowWeight] of rowTaps) {
        for (const [c, colWeight] of colTaps) {
          const source = (r * from + c) * width;
          const weight = rowWeight * colWeight;
          for (let k = 0; k < width; k++) {
            resized[target + k] = (resized[target + k] ?? NaN) + weight * (values[source + k] ?? NaN);
          }
        }
      }
    }
  }
  return resized;
}

/** Indices and weights of the four neighbors of a position between grid points (Keys 1981). */
function cubicTaps(place: number, size: number): (readonly [number, number])[] {
  const first = Math.floor(place);
  return [-1, 0, 1, 2].map((step) => {
    const index = Math.min(size - 1, Math.max(0, first + step));
    return [index, cubic(Math.abs(place - (first + step)))];
  });
}

function cubic(x: number): number {
  if (x <= 1) return ((CUBIC + 2) * x - (CUBIC + 3)) * x * x + 1;
  return x < 2 ? ((CUBIC * x - 5 * CUBIC) * x + 8 * CUBIC) * x - 4 * CUBIC : 0;
}

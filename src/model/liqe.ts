import { CachedTensors } from "../engine/cachedTensors.js";
import { canCompile } from "../engine/compile/binding.js";
import { Compiler, EAGER, type Precision, type Runner, type TensorFunction } from "../engine/compile/compile.js";
import * as tf from "../engine/tf.js";
import type { Architecture } from "./architecture/architecture.js";
import { inferArchitecture } from "./architecture/inferArchitecture.js";
import type { Checkpointing } from "./layers.js";
import {
  checkLearnedPrompts,
  contextShape,
  networkArrays,
  PROMPT_CONTEXT,
  PROMPT_FEATURES,
} from "./parameters/learnedPrompts.js";
import { adaptedRead, isAdapter } from "./parameters/lora.js";
import {
  type AdapterDropout,
  type EncoderWeights,
  isVision,
  type NamedArray,
  type NamedArrays,
  Parameters,
  type ReadParameter,
} from "./parameters/parameters.js";
import { cropBytes } from "./preprocess/crops.js";
import type { PromptGrid } from "./prompts/promptGrid.js";
import { gridTree, type PromptTree } from "./text/promptTree.js";
import type { TextTokenizer } from "./text/tokenizer.js";
import { PromptEncoder } from "./text/textEncoder.js";
import { encodeFolded, encodeImages, type FoldedEncoder, foldEncoder, isFolded } from "./vision/encoders.js";
import { withTensors } from "./vision/foldedVit.js";
import { patchTensor } from "./vision/patches.js";

interface LiqeModelOptions {
  readonly architecture?: Architecture | undefined;
  readonly untrainedTokens?: NamedArray | undefined;
  readonly precision?: Precision;
  readonly loraAlpha?: number | undefined;
  readonly tokenizer?: TextTokenizer | null | undefined;
}

/** LIQE (CVPR 2023): images compared by cosine with every combination of quality, scene and distortion. */
export class LiqeModel {
  readonly architecture: Architecture;
  readonly parameters: Parameters;
  /** Names of the adapters among the parameters. */
  readonly #adapters: ReadonlySet<string>;
  readonly #loraAlpha: number;
  readonly #weights: EncoderWeights;
  readonly #prompts: PromptEncoder;
  readonly #promptFeatures: CachedTensors<tf.Tensor2D>;
  readonly #foldedVision: CachedTensors<FoldedEncoder>;
  readonly #precision: Precision;
  #runner: Runner | null = null;

  /**
   * Keeps weights and prompts on the device until `dispose()`.
   * @throws {CheckpointError} where learned prompts among the weights are not those of the grid
   * @param architecture     of the weights; by default by their shapes, of OpenAI's kind
   * @param untrainedTokens  see `Parameters`
   * @param loraAlpha        strength of the adapters among the weights, where there are any; see `adaptedRead`
   * @param tokenizer        of the weights, where they have their own, as SigLIP's do
   * @param precision        of the image encoder's products in `imageFeatures`; bfloat16 where functions are compiled
   */
  constructor(
    weights: NamedArrays,
    readonly grid: PromptGrid,
    { architecture, untrainedTokens, loraAlpha = NaN, precision = "float32", tokenizer }: LiqeModelOptions = {},
  ) {
    this.#precision = precision;
    const shapes = new Map([...networkArrays(weights)].map(([name, { shape }]) => [name, shape]));
    this.architecture = inferArchitecture(shapes, "LiqeModel", architecture);
    checkLearnedPrompts("LiqeModel", weights, grid.prompts.length, this.architecture);
    const context = contextShape(weights.get(PROMPT_CONTEXT)?.shape);
    const tree = gridTree(grid, this.architecture.text, { tokenizer, context });
    this.parameters = new Parameters(weights, tree.usedTokens, untrainedTokens);
    const adapters = new Set([...this.parameters.variables.keys()].filter(isAdapter));
    this.#adapters = adapters;
    this.#loraAlpha = loraAlpha;
    const { read } = this.parameters;
    const adapted = adapters.size === 0 ? read : adaptedRead(read, adapters, loraAlpha);
    this.#weights = { architecture: this.architecture, read: adapted };
    this.#prompts = new PromptEncoder(tree);
    const variables = [...this.parameters.variables];
    const vision = variables.filter(([name]) => isVision(name)).map(([, variable]) => variable);
    const text = variables.filter(([name]) => !isVision(name)).map(([, variable]) => variable);
    this.#promptFeatures = new CachedTensors(() => this.encodePrompts(), text);
    this.#foldedVision = new CachedTensors(() => foldEncoder(this.#weights), vision);
  }

  /** Prefix tree of the prompts, as the text encoder reads them. */
  get promptTree(): PromptTree {
    return this.#prompts.tree;
  }

  /**
   * Encoders' weights for training: with the adapters beside their matrices, which get no gradient then.
   * @param read     of weights and adapters
   * @param dropout  of the adapters, borrowed; null for none
   */
  trainedWeights(read: ReadParameter, dropout: AdapterDropout | null): EncoderWeights {
    const { architecture } = this;
    const [names, alpha] = [this.#adapters, this.#loraAlpha];
    return names.size === 0 ? { architecture, read } : { architecture, read, adapters: { names, alpha, dropout } };
  }

  /** Factor from cosines to logits. Frozen, so it is read once. */
  logitScale(): number {
    return Math.exp(this.parameters.read("logit_scale").dataSync()[0] ?? NaN);
  }

  /** [crops, window, window, 3], RGB, borrowed → [crops·cells, stride·stride·3], given; `memory`: see `patchTensor`. */
  patches(pixels: Uint8Array, memory?: Float32Array): tf.Tensor2D {
    return patchTensor(pixels, this.architecture.vision, memory);
  }

  /** Side of a window in pixels. */
  get window(): number {
    return this.architecture.vision.imageSize;
  }

  /** Bytes of one crop's pixels. */
  get cropSize(): number {
    return cropBytes(this.window);
  }

  /** [crops, embedding], given: unit rows. `patches` is borrowed; `keep`: see `transformer`. */
  encodeImages(patches: tf.Tensor2D, crops: number, keep?: Checkpointing): tf.Tensor2D {
    return encodeImages(this.#weights, { patches, crops }, keep);
  }

  /** Image features without a gradient, as fast as possible: [crops, window, window, 3] → [crops, embedding], given. */
  imageFeatures(pixels: Uint8Array): tf.Tensor2D {
    const { inputs, encode, patches } = this.#encodingOf(pixels);
    const [features] = this.#scoringRunner().runNow("image features", inputs, encode);
    patches.dispose();
    return features as tf.Tensor2D; // as `encode` returns
  }

  /** `imageFeatures`, on another thread where the engine can; the pixels are read before this returns. */
  async imageFeaturesLater(pixels: Uint8Array): Promise<tf.Tensor2D> {
    const { inputs, encode, patches } = this.#encodingOf(pixels);
    try {
      const [features] = await this.#scoringRunner().run("image features", inputs, encode);
      return features as tf.Tensor2D; // as `encode` returns
    } finally {
      patches.dispose();
    }
  }

  /** True where `imageFeaturesLater` computes on another thread. */
  get encodesLater(): boolean {
    return this.#scoringRunner() !== EAGER;
  }

  #scoringRunner(): Runner {
    this.#runner ??= canCompile() ? new Compiler(this.#precision) : EAGER;
    return this.#runner;
  }

  /** Encoding of crops as a function of patches and weights: the weights change while a run trains, the function stays. */
  #encodingOf(pixels: Uint8Array) {
    const folded = this.#foldedVision.get();
    const { vision } = this.architecture;
    const unfolded = [...this.parameters.variables.keys()].filter((name) => isVision(name) && !isFolded(vision, name));
    const crops = pixels.length / this.cropSize;
    const patches = this.patches(pixels);
    const matrices = tf.tensor_util.getTensorsInContainer(folded as unknown as tf.TensorContainer); // any nesting of objects
    const inputs = [patches, ...matrices, ...unfolded.map((name) => this.parameters.read(name))];
    const encode: TensorFunction = ([pixelPatches, ...weights]) => {
      const given = new Map(matrices.map((matrix, i) => [matrix, weights[i]]));
      const others = weights.slice(matrices.length);
      const read = (<R extends tf.Rank>(name: string) =>
        others[unfolded.indexOf(name)] as tf.Tensor<R>) satisfies ReadParameter;
      const batch = { patches: pixelPatches as tf.Tensor2D, crops };
      return [encodeFolded({ ...this.#weights, read }, withTensors(folded, given), batch)];
    };
    return { inputs, encode, patches };
  }

  /**
   * Features of the prompts in the grid's order: [prompts, embedding], given; unit rows, or those that were learned in
   * place of the text encoder's, of any length.
   * @param weights  by default the model's own; see `trainedWeights`
   * @param keep     see `transformer`
   */
  encodePrompts({
    weights = this.#weights,
    keep,
  }: { weights?: EncoderWeights; keep?: Checkpointing } = {}): tf.Tensor2D {
    if (this.parameters.variables.has(PROMPT_FEATURES)) {
      return tf.tidy(() => tf.clone(weights.read<tf.Rank.R2>(PROMPT_FEATURES)));
    }
    return this.#prompts.encode(weights, keep);
  }

  /** Prompt features, borrowed and as constants: encoded only after the text encoder changed; see `CachedTensors.get`. */
  promptFeatures(): tf.Tensor2D {
    return this.#promptFeatures.get();
  }

  /** Frees the tensors of `promptFeatures`: the text encoder is about to change. */
  forgetPromptFeatures(): void {
    this.#promptFeatures.dispose();
  }

  /** Frees the tensors of `imageFeatures`: the image encoder is about to change. */
  forgetFoldedVision(): void {
    this.#foldedVision.dispose();
  }

  dispose(): void {
    this.parameters.dispose();
    this.#prompts.dispose();
    this.#promptFeatures.dispose();
    this.#foldedVision.dispose();
    this.#runner?.dispose();
  }
}

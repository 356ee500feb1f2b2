import { CachedTensors } from "../engine/cachedTensors.js";
import * as tf from "../engine/tf.js";
import type { Architecture } from "./architecture/architecture.js";
import { inferArchitecture } from "./architecture/inferArchitecture.js";
import type { Checkpointing } from "./layers/transformer.js";
import type { NamedArray, NamedArrays } from "./parameters/parameters.js";
import { isVision, Parameters } from "./parameters/parameters.js";
import type { PromptGrid } from "./prompts/promptGrid.js";
import type { PromptTree } from "./text/promptTree.js";
import { promptTree } from "./text/promptTree.js";
import { encodePrompts, PromptTreeTensors } from "./text/textEncoder.js";
import { tokenize } from "./text/tokenizer.js";
import { encodeFolded, type FoldedVit, foldVit } from "./vision/foldedVit.js";
import { encodeImages, patchTensor } from "./vision/vit.js";

/**
 * A dual encoder and the prompts it is asked about (LIQE, CVPR 2023): images on one side, every combination of
 * quality, scene and distortion on the other, compared by cosine.
 */
export class LiqeModel {
  readonly architecture: Architecture;
  readonly parameters: Parameters;
  readonly #prompts: PromptTreeTensors;
  readonly #promptFeatures: CachedTensors<tf.Tensor2D>;
  readonly #foldedVision: CachedTensors<FoldedVit>;

  /**
   * Keeps weights and prompt constants on the device until `dispose()`.
   *
   * @param untrainedTokens  of a run that is resumed; see `Parameters`
   */
  constructor(
    weights: NamedArrays,
    readonly grid: PromptGrid,
    untrainedTokens?: NamedArray,
  ) {
    const shapes = new Map([...weights].map(([name, { shape }]) => [name, shape]));
    this.architecture = inferArchitecture(shapes, "LiqeModel");
    const { contextLength } = this.architecture.text;
    const tree = gridTree(grid, contextLength);
    this.parameters = new Parameters(weights, tree.usedTokens, untrainedTokens);
    this.#prompts = new PromptTreeTensors(tree);
    const { variables, read } = this.parameters;
    const weightsOf = (isOfTower: (name: string) => boolean) =>
      [...variables].filter(([name]) => isOfTower(name)).map(([, variable]) => variable);
    const isText = (name: string) => !isVision(name);
    this.#promptFeatures = new CachedTensors(() => this.encodePrompts(), weightsOf(isText));
    this.#foldedVision = new CachedTensors(() => foldVit(read, this.architecture), weightsOf(isVision));
  }

  /** The prompts as the text tower sees them. */
  get promptTree(): PromptTree {
    return this.#prompts.tree;
  }

  /** What cosines are multiplied by to become logits. Frozen, so it is read once. */
  logitScale(): number {
    return Math.exp(this.parameters.read("logit_scale").dataSync()[0] ?? NaN);
  }

  /**
   * Pixels as the image tower takes them.
   *
   * @param pixels  [crops, 224, 224, 3], RGB, 0 to 255, borrowed
   * @param memory  see `patchTensor`
   * @returns       [crops·cells, stride·stride·3], given
   */
  patches(pixels: Uint8Array, memory?: Float32Array): tf.Tensor2D {
    return patchTensor(pixels, this.architecture.vision, memory);
  }

  /** Pixels in one crop. */
  get cropSize(): number {
    return this.architecture.vision.imageSize ** 2 * 3;
  }

  /** [crops, embedding], given: unit rows. `patches` is borrowed; `keep`: see `transformer`. */
  encodeImages(patches: tf.Tensor2D, crops: number, keep?: Checkpointing): tf.Tensor2D {
    return encodeImages(this.parameters.read, this.architecture, patches, crops, keep);
  }

  /** The same of pixels, without a gradient and as fast as it can be: [crops, 224, 224, 3] → [crops, embedding], given. */
  imageFeatures(pixels: Uint8Array): tf.Tensor2D {
    const [folded, crops] = [this.#foldedVision.get(), pixels.length / this.cropSize];
    return tf.tidy(() => encodeFolded(this.parameters.read, folded, this.architecture, this.patches(pixels), crops));
  }

  /** [prompts, embedding], given: unit rows, in the grid's order; `keep`: see `transformer`. */
  encodePrompts(keep?: Checkpointing): tf.Tensor2D {
    return encodePrompts(this.parameters.read, this.architecture, this.#prompts, keep);
  }

  /** The same, borrowed and as constants: encoded only where the text tower has changed; see `Derived.get`. */
  promptFeatures(): tf.Tensor2D {
    return this.#promptFeatures.get();
  }

  /** Frees what `promptFeatures` holds: the text tower is about to change. */
  forgetPromptFeatures(): void {
    this.#promptFeatures.dispose();
  }

  /** Frees what `imageFeatures` holds: the image tower is about to change. */
  forgetFoldedVision(): void {
    this.#foldedVision.dispose();
  }

  /** The weights as files hold them; see `Parameters.arrays`. */
  arrays(unusedRowDecay = 1): Map<string, NamedArray> {
    return this.parameters.arrays(unusedRowDecay);
  }

  dispose(): void {
    this.parameters.dispose();
    this.#prompts.dispose();
    this.#promptFeatures.dispose();
    this.#foldedVision.dispose();
  }
}

/** The tree that a grid's prompts make. @throws what `tokenize` does, where one is too long */
export function gridTree(grid: PromptGrid, contextLength: number): PromptTree {
  return promptTree(grid.prompts.map((prompt) => tokenize(prompt, contextLength)));
}

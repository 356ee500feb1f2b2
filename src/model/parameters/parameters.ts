import { getOrThrow } from "../../base/collections.js";
import { ShapeError } from "../../base/errors.js";
import * as tf from "../../engine/tf.js";
import type { Architecture, VisionArchitecture } from "../architecture/architecture.js";

/** Weight as files hold it: PyTorch's layout, row-major. */
export type NamedArray = { readonly shape: readonly number[]; readonly values: Float32Array };

/** Weights by OpenAI's state-dict names, on the host. */
export type NamedArrays = ReadonlyMap<string, NamedArray>;

/** Reads a weight by name, from any storage. */
export type ReadParameter = <R extends tf.Rank>(name: string) => tf.Tensor<R>;

/** Weights on the device, and the architecture that they belong to. */
export interface EncoderWeights {
  readonly architecture: Architecture;
  readonly read: ReadParameter;
  /** Adapters beside what `read` gives: in training. */
  readonly adapters?: Adapters | undefined;
}

/** Low-rank adapters that are computed beside their matrices; see `lowRank`. */
export interface Adapters {
  readonly names: ReadonlySet<string>;
  readonly alpha: number;
  /** Of their inputs; null for none. */
  readonly dropout: AdapterDropout | null;
}

/** Dropout of a step's adapters. */
export interface AdapterDropout {
  /** Share of the inputs that is dropped, in (0, 1). */
  readonly rate: number;
  /** [2], int32: key of the step's randomness, and place of the first crop among those of the step; borrowed. */
  readonly draw: tf.Tensor1D;
}

/** Image encoder's weights on the device, its architecture, and the size of the features. */
export interface ImageTower<V extends VisionArchitecture> {
  readonly read: ReadParameter;
  readonly vision: V;
  readonly embedding: number;
  readonly adapters?: Adapters | undefined;
}

export const TOKEN_EMBEDDING = "token_embedding.weight";
export const USED_ROWS = "token_embedding.used_rows";

export function isVision(name: string): boolean {
  return name.startsWith("visual.");
}

/**
 * Weights of one model on the device, as variables under OpenAI's names. Of the token embedding only the rows
 * `usedTokens` are there, under the name `token_embedding.used_rows`: a run's prompts use some sixty of CLIP's 49,408
 * tokens, and no gradient ever reaches the others. The full table stays on the host until the weights are saved.
 */
export class Parameters {
  readonly variables: ReadonlyMap<string, tf.Variable>;
  /**
   * Token table before any training, from which unused rows are decayed. A resumed run takes it from its checkpoint,
   * since a product rounded twice is not the product rounded once.
   */
  readonly untrainedTokens: NamedArray;
  readonly #usedTokens: readonly number[];

  /** Keeps copies of `arrays` on the device until `dispose()`; `untrainedTokens` is the table among them by default. */
  constructor(arrays: NamedArrays, usedTokens: readonly number[], untrainedTokens?: NamedArray) {
    this.untrainedTokens = untrainedTokens ?? getOrThrow(arrays, TOKEN_EMBEDDING, "parameters");
    this.#usedTokens = usedTokens;
    // The order does not depend on the file: sums over parameters round alike then
    const sorted = [...this.byVariable(arrays)].sort(([a], [b]) => (a < b ? -1 : 1));
    this.variables = new Map(
      sorted.map(([name, { shape, values }]) => [
        name,
        tf.tidy(() => tf.variable(tf.tensor(values.slice(), [...shape], "float32"), true)),
      ]),
    );
  }

  /** The variable of that name, borrowed. */
  readonly read = (<R extends tf.Rank>(name: string): tf.Tensor<R> => {
    const variable: tf.Tensor = getOrThrow(this.variables, name, "parameters");
    return variable as tf.Tensor<R>; // its rank is what parameterShapes says of this name
  }) satisfies ReadParameter;

  /** A file's arrays under the names of their variables: the used rows instead of the token table. */
  byVariable(arrays: NamedArrays): Map<string, NamedArray> {
    const named = new Map(arrays);
    const table = named.get(TOKEN_EMBEDDING);
    if (table !== undefined) named.set(USED_ROWS, takeRows(table, this.#usedTokens));
    named.delete(TOKEN_EMBEDDING);
    return named;
  }

  /**
   * Weights as files hold them, with a full token table: used rows as trained, the others times `unusedRowDecay`, the
   * effect of weight decay alone (1 where nothing was trained). Each is read from the device when its values are asked
   * for, and may share the engine's memory: a caller that keeps it past the next step copies it.
   * @param standIn  values to take in a parameter's place, as those of its average; the parameter's own where undefined
   */
  arrays(unusedRowDecay: number, standIn?: (name: string) => Float32Array | undefined): Map<string, NamedArray> {
    const valuesOf = (name: string) =>
      standIn?.(name) ?? getOrThrow(this.variables, name, "parameters").dataSync<"float32">();
    const arrays = new Map<string, NamedArray>();
    for (const [name, { shape }] of this.variables) {
      if (name !== USED_ROWS)
        arrays.set(
          name,
          arrayOf(shape, () => valuesOf(name)),
        );
    }
    const { shape } = this.untrainedTokens;
    arrays.set(
      TOKEN_EMBEDDING,
      arrayOf(shape, () => this.#fullTokenTable(unusedRowDecay, valuesOf(USED_ROWS))),
    );
    return arrays;
  }

  #fullTokenTable(unusedRowDecay: number, used: Float32Array): Float32Array {
    const { shape, values } = this.untrainedTokens;
    const width = shape[1] ?? 0;
    const table = unusedRowDecay === 1 ? values.slice() : values.map((value) => value * unusedRowDecay);
    putRows({ table, width }, this.#usedTokens, used);
    return table;
  }

  dispose(): void {
    for (const variable of this.variables.values()) variable.dispose();
  }
}

/** Weight whose values are read whenever they are asked for. */
function arrayOf(shape: readonly number[], read: () => Float32Array): NamedArray {
  return {
    shape,
    get values() {
      return read();
    },
  };
}

/** Rows of a matrix, in the order that they are named in. @throws {ShapeError} for a row that it does not have */
export function takeRows({ shape, values }: NamedArray, rows: readonly number[]): NamedArray {
  const [height = 0, width = 0] = shape;
  const taken = new Float32Array(rows.length * width);
  rows.forEach((row, i) => {
    if (row >= height) throw new ShapeError(`parameters: token ${row} is outside the embedding's ${height} rows`);
    taken.set(values.subarray(row * width, (row + 1) * width), i * width);
  });
  return { shape: [rows.length, width], values: taken };
}

/** Puts rows, one behind the other in `values`, where they belong in a table. */
export function putRows(
  { table, width }: { readonly table: Float32Array; readonly width: number },
  rows: readonly number[],
  values: Float32Array,
): void {
  rows.forEach((row, i) => {
    table.set(values.subarray(i * width, (i + 1) * width), row * width);
  });
}

import { ShapeError } from "../../base/errors.js";
import * as tf from "../../engine/tf.js";

/** A weight as files hold it: PyTorch's layout, row-major. */
export interface NamedArray {
  readonly shape: readonly number[];
  readonly values: Float32Array;
}

/** Weights by OpenAI's state-dict names, on the host. */
export type NamedArrays = ReadonlyMap<string, NamedArray>;

/** Where the towers read their weights: by name, in any form of storage. */
export type ReadParameter = <R extends tf.Rank>(name: string) => tf.Tensor<R>;

/**
 * The weights of one model on the device, as variables under OpenAI's names; of the token embedding only the rows
 * `usedTokens`, under the name `token_embedding.used_rows`: a run's prompts use some sixty of CLIP's 49,408 tokens,
 * and no gradient ever reaches the others. The full table stays on the host until the weights are saved.
 */
export class Parameters {
  readonly variables: ReadonlyMap<string, tf.Variable>;
  /**
   * The token table as it was before any training: what its unused rows are decayed from. A resumed run takes it from
   * its checkpoint, since a product rounded twice is not the product rounded once.
   */
  readonly untrainedTokens: NamedArray;
  readonly #usedTokens: readonly number[];

  /**
   * Keeps copies of `arrays` on the device until `dispose()`; token tables are borrowed and never written to.
   *
   * @param untrainedTokens  see the property; by default the table among `arrays`
   */
  constructor(arrays: NamedArrays, usedTokens: readonly number[], untrainedTokens?: NamedArray) {
    const table = need(arrays, TOKEN_EMBEDDING);
    this.untrainedTokens = untrainedTokens ?? table;
    this.#usedTokens = usedTokens;
    // In one order, whatever file they come from: sums over parameters round alike then
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
    const variable = this.variables.get(name);
    if (variable === undefined) throw new ShapeError(`parameters: there is no "${name}" in this model`);
    return variable as tf.Tensor as tf.Tensor<R>; // its rank is what parameterShapes says of this name
  }) satisfies ReadParameter;

  /** Arrays of a file under the names of the variables they belong to: the used rows in place of the token table. */
  byVariable(arrays: NamedArrays): Map<string, NamedArray> {
    const named = new Map(arrays);
    if (named.delete(TOKEN_EMBEDDING)) named.set(USED_ROWS, takeRows(need(arrays, TOKEN_EMBEDDING), this.#usedTokens));
    return named;
  }

  /**
   * The weights as files hold them, the token table whole again: used rows as trained, the others times
   * `unusedRowDecay`, which is what weight decay alone has made of them (1 where nothing was trained).
   */
  arrays(unusedRowDecay: number): Map<string, NamedArray> {
    const arrays = new Map<string, NamedArray>();
    for (const [name, variable] of this.variables) {
      if (name === USED_ROWS) continue;
      // dataSync may hand out the engine's own memory: copy before the next step writes to it
      arrays.set(name, { shape: variable.shape, values: Float32Array.from(variable.dataSync()) });
    }
    arrays.set(TOKEN_EMBEDDING, this.#wholeTokenTable(unusedRowDecay));
    return arrays;
  }

  #wholeTokenTable(unusedRowDecay: number): NamedArray {
    const { shape, values } = this.untrainedTokens;
    const width = shape[1] ?? 0;
    const table = unusedRowDecay === 1 ? values.slice() : values.map((value) => value * unusedRowDecay);
    const used = this.read<tf.Rank.R2>(USED_ROWS).dataSync();
    this.#usedTokens.forEach((token, row) => {
      table.set(used.subarray(row * width, (row + 1) * width), token * width);
    });
    return { shape, values: table };
  }

  dispose(): void {
    for (const variable of this.variables.values()) variable.dispose();
  }
}

export const TOKEN_EMBEDDING = "token_embedding.weight";
export const USED_ROWS = "token_embedding.used_rows";

/** Whether a parameter belongs to the image tower. */
export function isVision(name: string): boolean {
  return name.startsWith("visual.");
}

function need(arrays: NamedArrays, name: string): NamedArray {
  const array = arrays.get(name);
  if (array === undefined) throw new ShapeError(`parameters: "${name}" is missing`);
  return array;
}

/** Rows of a matrix on the host. */
function takeRows({ shape, values }: NamedArray, rows: readonly number[]): NamedArray {
  const [height = 0, width = 0] = shape;
  const taken = new Float32Array(rows.length * width);
  rows.forEach((row, i) => {
    if (row >= height) throw new ShapeError(`parameters: token ${row} is outside the embedding's ${height} rows`);
    taken.set(values.subarray(row * width, (row + 1) * width), i * width);
  });
  return { shape: [rows.length, width], values: taken };
}

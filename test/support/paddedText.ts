import * as tf from "../../src/engine/tf.js";
import type { Architecture } from "../../src/model/architecture/architecture.js";
import { l2Normalize, layerNorm, transformer } from "../../src/model/layers.js";
import { type ReadParameter, TOKEN_EMBEDDING } from "../../src/model/parameters/parameters.js";

/**
 * The text tower as CLIP's own code runs it: every prompt by itself, padded to the context length, under a causal
 * mask, read at its end token. The slow obvious version that the prompt tree is held to.
 *
 * @param read  with the whole `token_embedding.weight`
 */
export function encodePadded(
  read: ReadParameter,
  { text }: Architecture,
  prompts: readonly (readonly number[])[],
): tf.Tensor2D {
  const { contextLength, width, heads, vocabulary } = text;
  const depth = width / heads;
  const mask = tf.tensor2d(
    Array.from({ length: contextLength }, (_, i) =>
      Array.from({ length: contextLength }, (_, j) => (j <= i ? 0 : -Infinity)),
    ),
  );
  const encodeOne = (prompt: readonly number[]): tf.Tensor => {
    const padded = [...prompt, ...Array.from({ length: contextLength - prompt.length }, () => 0)];
    const embedded = tf.matMul(tf.cast(tf.oneHot(padded, vocabulary), "float32"), read<tf.Rank.R2>(TOKEN_EMBEDDING));
    const x = tf.add<tf.Tensor2D>(embedded, read("positional_embedding"));
    const attend = (qkv: tf.Tensor2D): tf.Tensor2D => {
      const [q, k, v] = tf.split(qkv, 3, 1).map((part) => tf.reshape(part, [contextLength, heads, depth]));
      if (q === undefined || k === undefined || v === undefined) throw new Error("split gave fewer than three");
      const outs = Array.from({ length: heads }, (_, head) => {
        const of = (part: tf.Tensor) =>
          tf.reshape<tf.Rank.R2>(tf.slice(part, [0, head, 0], [-1, 1, -1]), [contextLength, depth]);
        const scores = tf.add(tf.div(tf.matMul(of(q), of(k), false, true), Math.sqrt(depth)), mask);
        return tf.matMul<tf.Tensor2D>(tf.softmax(scores), of(v));
      });
      return tf.concat2d(outs, 1);
    };
    const states = transformer(x, {
      read,
      prefix: "transformer",
      layers: text.layers,
      attend,
      activation: "quick-gelu",
      select: (rows) => rows,
    });
    return tf.slice(states, [prompt.length - 1, 0], [1, width]);
  };
  const ends = tf.concat2d(
    prompts.map((prompt) => encodeOne(prompt) as tf.Tensor2D), // one row each
    0,
  );
  const normed = layerNorm(ends, read("ln_final.weight"), read("ln_final.bias"));
  return l2Normalize(tf.matMul(normed, read<tf.Rank.R2>("text_projection")));
}

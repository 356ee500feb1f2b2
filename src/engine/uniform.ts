/**
 * Random numbers as functions of integers alone (Philox 4x32-10; Salmon et al., Parallel Random Numbers: As Easy as
 * 1, 2, 3, SC 2011): the same bits on every engine, traced or not, and any part of a sequence without what comes before.
 */
import { canExecute, nativeBackend } from "./compile/binding.js";
import * as tf from "./tf.js";

/** Numbers that one place of the counter stands for. */
export const NUMBERS_PER_PLACE = 4;

/** Sequence of random numbers, and a place in it. */
export interface RandomPlace {
  /** [1], int32, not negative: the sequences of two keys have nothing to do with each other; borrowed. */
  readonly key: tf.Tensor1D;
  /** Sequence of that key, from 0. */
  readonly stream: number;
  /** [1], int32, not negative: number i of the result is number 4·place + i of the sequence; borrowed. */
  readonly place: tf.Tensor1D;
}

/** Uniform numbers from 0 to 1, both included, without a gradient: [rows, cols], given. */
export function uniformAt(shape: readonly [number, number], at: RandomPlace): tf.Tensor2D {
  return tf.tidy(() => (canExecute() ? byEngine(shape, at) : byHost(shape, at)));
}

/** `TF_UINT64` of TensorFlow's C API, a type that TensorFlow.js has no tensors of. */
const UINT64 = 23;
/** Number of Philox among TensorFlow's generators. */
const PHILOX = 1;

/** By TensorFlow's operation. Its key and counter are 64-bit numbers, which no tensor of ours holds: they stay handles. */
function byEngine(shape: readonly [number, number], { key, stream, place }: RandomPlace): tf.Tensor2D {
  const backend = nativeBackend();
  const { binding } = backend;
  const type = (name: string, value: number) => ({ name, type: binding.TF_ATTR_TYPE, value });
  const widened: number[] = [];
  const wide = (integers: tf.Tensor) => {
    const attributes = [
      type("SrcT", binding.TF_INT32),
      type("DstT", UINT64),
      { name: "Truncate", type: binding.TF_ATTR_BOOL, value: false },
    ];
    for (const { id } of binding.executeOp("Cast", attributes, backend.getInputTensorIds([integers]), 1))
      widened.push(id);
  };
  try {
    wide(key);
    wide(tf.concat1d([place, tf.tensor1d([stream], "int32")]));
    const [shapeId = NaN, algorithm = NaN] = backend.getInputTensorIds([
      tf.tensor1d([...shape], "int32"),
      tf.scalar(PHILOX, "int32"),
    ]);
    const attributes = [type("dtype", binding.TF_INT32), type("Tshape", binding.TF_INT32)];
    const ids = [shapeId, ...widened, algorithm];
    const [made] = binding.executeOp("StatelessRandomUniformFullIntV2", attributes, ids, 1);
    if (made === undefined) throw new Error("internal: uniformAt: the engine gave no tensor");
    return numbersOf(backend.createOutputTensor(made) as tf.Tensor2D); // of the shape asked for
  } finally {
    for (const id of widened) binding.deleteTensor(id);
  }
}

/** The same numbers, computed in JavaScript: for engines that lack the operation. */
function byHost(shape: readonly [number, number], { key, stream, place }: RandomPlace): tf.Tensor2D {
  const values = new Int32Array(shape[0] * shape[1]);
  const keyOf = key.dataSync()[0] ?? NaN;
  const first = place.dataSync()[0] ?? NaN;
  for (let i = 0; i < values.length; i += NUMBERS_PER_PLACE) {
    const words = philox([first + i / NUMBERS_PER_PLACE, 0, stream, 0], [keyOf, 0]);
    for (let k = 0; k < NUMBERS_PER_PLACE && i + k < values.length; k++) values[i + k] = words[k] ?? NaN;
  }
  return numbersOf(tf.tensor2d(values, [shape[0], shape[1]], "int32"));
}

/**
 * Numbers of words: from whole words, since what makes numbers of their bits is not the same in XLA.
 * @param words  any int32
 */
function numbersOf(words: tf.Tensor2D): tf.Tensor2D {
  return tf.add(tf.mul(tf.cast(words, "float32"), 2 ** -32), 0.5);
}

const ROUNDS = 10;
const MULTIPLIERS = [0xd2511f53, 0xcd9e8d57] as const;
const KEY_STEPS = [0x9e3779b9, 0xbb67ae85] as const;

type Words = readonly [number, number, number, number];

/** Four words of 32 bits, of a counter and a key. */
function philox(counter: Words, key: readonly [number, number]): Words {
  let [a, b, c, d] = counter;
  let [k0, k1] = key;
  for (let round = 0; round < ROUNDS; round++) {
    const [high0, high1] = [highProduct(MULTIPLIERS[0], a), highProduct(MULTIPLIERS[1], c)];
    const [low0, low1] = [Math.imul(MULTIPLIERS[0], a), Math.imul(MULTIPLIERS[1], c)];
    [a, b, c, d] = [high1 ^ b ^ k0, low1, high0 ^ d ^ k1, low0];
    k0 = (k0 + KEY_STEPS[0]) | 0;
    k1 = (k1 + KEY_STEPS[1]) | 0;
  }
  return [a, b, c, d];
}

/** Upper 32 bits of the product of two unsigned words. */
function highProduct(x: number, y: number): number {
  const [x0, x1, y0, y1] = [x & 0xffff, x >>> 16, y & 0xffff, y >>> 16];
  const middle = x1 * y0 + ((x0 * y0) >>> 16);
  const carried = x0 * y1 + (middle & 0xffff);
  return (x1 * y1 + Math.floor(middle / 0x10000) + Math.floor(carried / 0x10000)) | 0;
}

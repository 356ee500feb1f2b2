import { execute, nativeBackend } from "../compile/binding.js";
import type * as tf from "../tf.js";

/** Bits of float32 values as int32, given: a sum with zeros changes none of them, where −0 + 0 as floats is 0. */
export function bitsOf(x: tf.Tensor): tf.Tensor {
  return bitcast(x, "int32");
}

/** Float32 values of bits, given. */
export function fromBits(x: tf.Tensor): tf.Tensor {
  return bitcast(x, "float32");
}

function bitcast(x: tf.Tensor, to: "int32" | "float32"): tf.Tensor {
  const { TF_ATTR_TYPE, TF_FLOAT, TF_INT32 } = nativeBackend().binding;
  const [own, other] = to === "int32" ? [TF_FLOAT, TF_INT32] : [TF_INT32, TF_FLOAT];
  const attributes = [
    { name: "T", type: TF_ATTR_TYPE, value: own },
    { name: "type", type: TF_ATTR_TYPE, value: other },
  ];
  const [cast] = execute({ name: "Bitcast", attributes, inputs: [x], outputs: 1, shape: x.shape });
  if (cast === undefined) throw new Error("internal: bitcast: no result");
  return cast;
}

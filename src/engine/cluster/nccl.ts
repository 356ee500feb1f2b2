import { execute, nativeBackend } from "../compile/binding.js";
import * as tf from "../tf.js";

/** TensorFlow's words about an operation that its build has no code for. */
const NO_KERNEL = "<no registered kernels>";

/**
 * True where the native engine, the current one, was built with NVIDIA's collectives, as TensorFlow's CUDA build is: the
 * library is asked for a sum over one device, and says itself where it has no code for it.
 */
export function hasNccl(): boolean {
  const { TF_ATTR_TYPE, TF_ATTR_STRING, TF_ATTR_INT, TF_FLOAT } = nativeBackend().binding;
  const attributes = [
    { name: "T", type: TF_ATTR_TYPE, value: TF_FLOAT },
    { name: "reduction", type: TF_ATTR_STRING, value: "sum" },
    { name: "num_devices", type: TF_ATTR_INT, value: 1 },
    { name: "shared_name", type: TF_ATTR_STRING, value: "liqe engine status" },
  ];
  const one = tf.scalar(1);
  try {
    tf.dispose(execute({ name: "NcclAllReduce", attributes, inputs: [one], outputs: 1 }));
    return true;
  } catch (error) {
    return !String(error).includes(NO_KERNEL);
  } finally {
    one.dispose();
  }
}

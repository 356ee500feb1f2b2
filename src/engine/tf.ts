/**
 * TensorFlow.js without any backend, in Node and in browsers. Operations are called as functions (`tf.add(a, b)`): the
 * chained form (`a.add(b)`) is registered by the union package only, which a browser bundle does without.
 */
export * from "@tensorflow/tfjs-core";

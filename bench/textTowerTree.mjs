/** One measurement for textTower.mjs: the prompts as a tree. Arguments: the folder, `forward` or `gradients`. */
import { readFile } from "node:fs/promises";
import path from "node:path";
import { performance } from "node:perf_hooks";
import { startEngine } from "../dist/engine/engine.js";
import * as tf from "../dist/engine/tf.js";
import { Parameters, USED_ROWS } from "../dist/model/parameters/parameters.js";
import { PRESETS } from "../dist/model/architecture/presets.js";
import { promptTree } from "../dist/model/text/promptTree.js";
import { PromptEncoder } from "../dist/model/text/textEncoder.js";
import { readSafetensors } from "../dist/model/weights/safetensors.js";
import { saveTensors } from "./measure.mjs";

const [folder, pass] = process.argv.slice(2);
const { prompts } = JSON.parse(await readFile(path.join(folder, "prompts.json"), "utf8"));
await startEngine("native");
const tree = promptTree(prompts);
const parameters = new Parameters(await readSafetensors(path.join(folder, "weights.safetensors")), tree.usedTokens);
const tensors = new PromptEncoder(tree);
const cotangent = (await readSafetensors(path.join(folder, "cotangent.safetensors"))).get("cotangent");
const weights = tf.tensor(cotangent.values, cotangent.shape);
const encode = () => tensors.encode({ architecture: PRESETS["vit-b-32"], read: parameters.read });
const names = [...parameters.variables.keys()].filter((name) => name !== "logit_scale");

timed(); // once to warm up
const { seconds, result } = timed();
await saveTensors(path.join(folder, `${pass}-tree.safetensors`), result);
const peakBytes = process.resourceUsage().maxRSS * 1024;
console.log(JSON.stringify({ seconds, peakBytes }));

function timed() {
  const started = performance.now();
  const tensorsByName = tf.tidy(() => (pass === "forward" ? { features: encode() } : gradients()));
  const result = new Map();
  for (const [name, tensor] of Object.entries(tensorsByName)) {
    result.set(name, { shape: tensor.shape, values: Float32Array.from(tensor.dataSync()) });
  }
  const seconds = (performance.now() - started) / 1000;
  tf.dispose(tensorsByName);
  return { seconds, result };
}

/** Of Σ features · cotangent, by parameter. */
function gradients() {
  const wanted = names.map((name) => parameters.variables.get(name));
  const { grads, value } = tf.variableGrads(() => tf.sum(tf.mul(encode(), weights)), wanted);
  value.dispose();
  return Object.fromEntries(
    names.map((name) => [name === USED_ROWS ? "used_rows" : name, grads[parameters.variables.get(name).name]]),
  );
}

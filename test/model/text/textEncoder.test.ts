import { describe, expect, it } from "vitest";
import { seededRandom } from "../../../src/base/random.js";
import * as tf from "../../../src/engine/tf.js";
import type { Architecture } from "../../../src/model/architecture/architecture.js";
import { initialParameters } from "../../../src/model/parameters/initialize.js";
import {
  Parameters,
  type ReadParameter,
  TOKEN_EMBEDDING,
  USED_ROWS,
} from "../../../src/model/parameters/parameters.js";
import { promptTree } from "../../../src/model/text/promptTree.js";
import { PromptEncoder } from "../../../src/model/text/textEncoder.js";
import { encodePadded } from "../../support/paddedText.js";
import { expectTensorsKept } from "../../support/tensors.js";

const ARCHITECTURE: Architecture = {
  vision: { width: 64, layers: 1, heads: 1, activation: "quick-gelu", imageSize: 32, patchSize: 32, stem: "patch" },
  text: { width: 128, layers: 2, heads: 2, activation: "quick-gelu", contextLength: 12, vocabulary: 40 },
  embedding: 16,
};

/** Sums of two layers in another order. */
const FEATURES = { rtol: 1e-4, atol: 1e-6 };
const GRADIENTS = { rtol: 1e-3, atol: 1e-5 };

const [START, END] = [38, 39];
const prompt = (...tokens: number[]) => [START, ...tokens, END];

/** What a template may give rise to, each a shape of tree of its own. */
const CASES: Readonly<Record<string, readonly (readonly number[])[]>> = {
  "a common stem and labels of different lengths": [
    prompt(1, 2, 3, 9, 5),
    prompt(1, 2, 3, 9, 6),
    prompt(1, 2, 4, 7, 8, 9, 5),
    prompt(1, 2, 4, 7, 8, 9, 6),
    prompt(1, 2, 4, 9, 5),
  ],
  "no common stem but the start token": [prompt(1, 5), prompt(2, 5, 5), prompt(3), prompt(4, 5, 6, 7)],
  "one prompt": [prompt(1, 2, 3)],
  "duplicate prompts": [prompt(1, 2), prompt(3, 2), prompt(1, 2), prompt(1, 2)],
  "a prompt of full length": [prompt(1, 2, 3, 4, 5, 6, 7, 8, 9, 10), prompt(1, 2)],
};

/** Random weights whose biases and gains are not at their neutral start. */
function randomParameters(): ReturnType<typeof initialParameters> {
  const arrays = initialParameters(ARCHITECTURE, 3);
  for (const [name, { values }] of arrays) {
    const random = seededRandom(4, name);
    if (name !== "logit_scale") values.forEach((value, i) => (values[i] = value + 0.1 * random.normal()));
  }
  return arrays;
}

function treeOf(prompts: readonly (readonly number[])[], branchSize?: number) {
  const tree = promptTree(prompts, branchSize);
  const parameters = new Parameters(randomParameters(), tree.usedTokens);
  return { parameters, tensors: new PromptEncoder(tree), tree };
}

/** Every case without groups, as small trees are cheapest, and with branches as small and as large as can be. */
const TREES = Object.entries(CASES).flatMap(([name, prompts]) =>
  [0, 2, 100].map((branchSize) => ({ name, prompts, branchSize })),
);

describe.each(TREES)("encodePrompts on $name, branches of $branchSize", ({ prompts, branchSize }) => {
  it("gives the features of the padded prompts", () => {
    const { parameters, tensors } = treeOf(prompts, branchSize);
    const whole = wholeTable(parameters);
    const features = tensors.encode({ architecture: ARCHITECTURE, read: parameters.read });
    expect(features.shape).toEqual([prompts.length, ARCHITECTURE.embedding]);
    expect(features).toBeAllClose(encodePadded(whole, ARCHITECTURE, prompts).dataSync(), FEATURES);
  });

  it("gives the gradients of the padded prompts, parameter by parameter", () => {
    const { parameters, tensors, tree } = treeOf(prompts, branchSize);
    const direction = tf.randomNormal([prompts.length, ARCHITECTURE.embedding], 0, 1, "float32", 5);
    const along = (features: tf.Tensor2D) => tf.sum<tf.Scalar>(tf.mul(features, direction));
    const names = [...parameters.variables.keys()].filter((name) => !/^visual|logit_scale/.test(name));
    const variables = names.map((name) => parameters.variables.get(name) ?? tf.variable(tf.scalar(NaN)));
    const ours = tf.variableGrads(
      () => along(tensors.encode({ architecture: ARCHITECTURE, read: parameters.read })),
      variables,
    ).grads;

    const table = tf.variable(wholeTable(parameters)(TOKEN_EMBEDDING));
    const theirs = tf.variableGrads(
      () => along(encodePadded(withTable(parameters, table), ARCHITECTURE, prompts)),
      [table, ...variables.filter((_, i) => names[i] !== USED_ROWS)],
    ).grads;
    names.forEach((name, i) => {
      const gradient = ours[variables[i]?.name ?? ""] ?? tf.scalar(NaN);
      const expected =
        name === USED_ROWS
          ? tf.gather(theirs[table.name] ?? tf.zeros([40, 128]), [...tree.usedTokens])
          : (theirs[variables[i]?.name ?? ""] ?? tf.scalar(NaN));
      expect(gradient, name).toBeAllClose(expected.dataSync(), GRADIENTS);
    });
  });
});

describe("encodePrompts", () => {
  it("keeps only its result", () => {
    const { parameters, tensors } = treeOf(CASES["one prompt"] ?? []);
    expectTensorsKept(1, () => tensors.encode({ architecture: ARCHITECTURE, read: parameters.read }));
  });
});

function withTable(parameters: Parameters, table: tf.Tensor): ReadParameter {
  return <R extends tf.Rank>(name: string) =>
    (name === TOKEN_EMBEDDING ? table : parameters.read(name)) as tf.Tensor<R>; // as Parameters.read
}

/** Reads the parameters with the whole token table as a tensor. */
function wholeTable(parameters: Parameters): ReadParameter {
  const { shape, values } = parameters.arrays(1).get(TOKEN_EMBEDDING) ?? { shape: [], values: new Float32Array() };
  return withTable(parameters, tf.tensor(values, [...shape]));
}

import { describe, expect, it } from "vitest";
import { seededRandom } from "../../../src/base/random.js";
import * as tf from "../../../src/engine/tf.js";
import type { VitArchitecture } from "../../../src/model/architecture/architecture.js";
import { l2Normalize, layerNorm, selfAttention, transformer } from "../../../src/model/layers.js";
import { initialParameters } from "../../../src/model/parameters/initialize.js";
import { Parameters, type ReadParameter } from "../../../src/model/parameters/parameters.js";
import { CLIP_MEAN, CLIP_STD, imagePatches, stemStrides } from "../../../src/model/vision/patches.js";
import { encodeImages } from "../../../src/model/vision/encoders.js";
import { expectTensorsKept } from "../../support/tensors.js";

const TEXT = { width: 8, layers: 1, heads: 1, activation: "quick-gelu", contextLength: 8, vocabulary: 4 } as const;
const STAGES = [
  { stride: 4, width: 48 },
  { stride: 2, width: 12 },
  { stride: 2, width: 128 },
];
const HIERARCHY: VitArchitecture = {
  vision: { width: 128, layers: 2, heads: 2, activation: "quick-gelu", imageSize: 32, patchSize: 16, stem: STAGES },
  text: TEXT,
  embedding: 8,
};
const PATCH: VitArchitecture = { ...HIERARCHY, vision: { ...HIERARCHY.vision, stem: "patch" } };
const CROPS = 3;

/** Sums in another order, in float32. */
const FEATURES = { rtol: 1e-4, atol: 1e-5 };

const pixels = () => {
  const random = seededRandom(1, "pixels");
  return Uint8Array.from({ length: CROPS * 32 * 32 * 3 }, () => random.integer(256));
};

const parametersOf = (architecture: VitArchitecture) => new Parameters(initialParameters(architecture, 2), [0]);

function patchesOf(architecture: VitArchitecture): tf.Tensor2D {
  const [stride = 1] = stemStrides(architecture.vision);
  const values = imagePatches(pixels(), architecture.vision);
  return tf.tensor2d(values, [values.length / (stride * stride * 3), stride * stride * 3]);
}

/** x·Φ(x). */
const gelu = (x: tf.Tensor2D) => tf.mul(x, tf.mul(tf.add(tf.erf(tf.mul(x, Math.SQRT1_2)), 1), 0.5));

/** The tower as one would write it first: convolutions over images, in rows and columns. */
function obviousTower(read: ReadParameter, { vision }: VitArchitecture): tf.Tensor2D {
  const image = tf.div(tf.cast(tf.tensor4d(pixels(), [CROPS, 32, 32, 3]), "float32"), 255);
  const normalized = tf.div<tf.Tensor4D>(tf.sub(image, [...CLIP_MEAN]), [...CLIP_STD]);
  const convolve = (x: tf.Tensor4D, name: string, stride: number) =>
    tf.conv2d(x, tf.transpose(read<tf.Rank.R4>(name), [2, 3, 1, 0]), stride, "valid");
  const stages = vision.stem === "patch" ? [] : vision.stem;
  const cells = stages.reduce<tf.Tensor4D>(
    (x, { stride, width }, i) => {
      const name = `visual.stem.${i}`;
      const mapped = tf.add<tf.Tensor4D>(convolve(x, `${name}.weight`, stride), read(`${name}.bias`));
      const rows = tf.reshape<tf.Rank.R2>(mapped, [-1, width]);
      const normed = layerNorm(rows, read(`${name}.norm.weight`), read(`${name}.norm.bias`));
      return tf.reshape(i === stages.length - 1 ? normed : gelu(normed), mapped.shape);
    },
    vision.stem === "patch" ? convolve(normalized, "visual.conv1.weight", vision.patchSize) : normalized,
  );
  const tokens = tf.reshape<tf.Rank.R3>(cells, [CROPS, -1, vision.width]);
  const classes = tf.tile(tf.reshape<tf.Rank.R3>(read("visual.class_embedding"), [1, 1, -1]), [CROPS, 1, 1]);
  const placed = tf.add(tf.concat([classes, tokens], 1), read("visual.positional_embedding"));
  const rows = tf.reshape<tf.Rank.R2>(placed, [-1, vision.width]);
  const before = layerNorm(rows, read("visual.ln_pre.weight"), read("visual.ln_pre.bias"));
  const attend = selfAttention(CROPS, vision.heads);
  const { layers } = vision;
  const after = transformer(before, {
    read,
    prefix: "visual.transformer",
    layers,
    attend,
    activation: "quick-gelu",
    select: (all) => all,
  });
  const [states = after] = tf.unstack(tf.reshape<tf.Rank.R3>(after, [CROPS, -1, vision.width]), 1) as tf.Tensor2D[]; // of each token
  const pooled = layerNorm(states, read("visual.ln_post.weight"), read("visual.ln_post.bias"));
  return l2Normalize(tf.matMul(pooled, read<tf.Rank.R2>("visual.proj")));
}

describe.each([
  ["one patch", PATCH],
  ["a hierarchy of patches", HIERARCHY],
] as const)("encodeImages with %s", (_, architecture) => {
  it("gives the features of the tower written with convolutions", () => {
    const { read } = parametersOf(architecture);
    const features = encodeImages({ read, architecture }, { patches: patchesOf(architecture), crops: CROPS });
    expect(features).toBeAllClose(obviousTower(read, architecture).dataSync(), FEATURES);
  });

  it("has the gradient that a small step along it shows, parameter by parameter", () => {
    const parameters = parametersOf(architecture);
    const patches = patchesOf(architecture);
    const direction = tf.randomNormal([CROPS, architecture.embedding], 0, 1, "float32", 3);
    const along = () =>
      tf.sum<tf.Scalar>(
        tf.mul(encodeImages({ read: parameters.read, architecture }, { patches, crops: CROPS }), direction),
      );
    for (const [name, variable] of parameters.variables) {
      if (!name.startsWith("visual.")) continue;
      const gradient = tf.variableGrads(along, [variable]).grads[variable.name] ?? tf.zeros(variable.shape);
      const length = tf.norm(gradient).dataSync()[0] ?? NaN;
      const step = tf.mul(gradient, 1e-2 / length);
      const start = tf.clone(variable);
      const at = (sign: number) => {
        variable.assign(tf.add(start, tf.mul(step, sign)));
        return along().dataSync()[0] ?? NaN;
      };
      const slope = (at(1) - at(-1)) / 2e-2;
      variable.assign(start);
      expect([slope], name).toBeAllClose([length], { rtol: 2e-2, atol: 1e-4 }); // a finite step in float32
    }
  });

  it("keeps only its result", () => {
    const { read } = parametersOf(architecture);
    const patches = patchesOf(architecture);
    expectTensorsKept(1, () => encodeImages({ read, architecture }, { patches, crops: CROPS }));
  });
});

describe("encodeImages", () => {
  it("refuses patches of another number of crops", () => {
    const { read } = parametersOf(PATCH);
    const batch = { patches: patchesOf(PATCH), crops: CROPS + 1 };
    expect(() => encodeImages({ read, architecture: PATCH }, batch)).toThrow("encodeImages: patches: expected");
  });
});

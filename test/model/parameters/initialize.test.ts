import { describe, expect, it } from "vitest";
import { presetArchitecture } from "../../../src/model/architecture/presets.js";
import { dctFilters, initialParameters } from "../../../src/model/parameters/initialize.js";
import { parameterShapes } from "../../../src/model/parameters/shapes.js";

/** Of `vit-tiny`'s form, with a small token table: random numbers take their time. */
const TINY = presetArchitecture("vit-tiny");
const SMALL = { ...TINY, text: { ...TINY.text, vocabulary: 100 } };

describe("initialParameters", () => {
  it("gives every parameter of the architecture in its shape, the same for the same seed", () => {
    const arrays = initialParameters(SMALL, 1);
    const shapes = new Map([...arrays].map(([name, { shape }]) => [name, shape]));
    expect(shapes).toEqual(new Map(parameterShapes(SMALL)));
    for (const [name, { shape, values }] of arrays) {
      expect(values.length, name).toBe(shape.reduce((product, side) => product * side, 1));
    }
    const again = initialParameters(SMALL, 1);
    const other = initialParameters(SMALL, 2);
    const projection = (of: typeof arrays) => of.get("visual.proj")?.values.slice(0, 8);
    expect(projection(again)).toEqual(projection(arrays));
    expect(projection(other)).not.toEqual(projection(arrays));
  });

  it("starts residual branches at CLIP's deviations", () => {
    const { values = new Float32Array() } =
      initialParameters(SMALL, 1).get("visual.transformer.resblocks.0.attn.out_proj.weight") ?? {};
    const deviation = Math.sqrt(values.reduce((sum, value) => sum + value * value, 0) / values.length);
    expect([deviation]).toBeAllClose([256 ** -0.5 * 8 ** -0.5], { rtol: 0.02, atol: 0 }); // 65,536 samples
  });
});

describe("frequencyStem", () => {
  it("has outputs at right angles to each other, one for each frequency and colour", () => {
    const stride = 4;
    const size = 3 * stride * stride;
    const weights = dctFilters(stride);
    expect(weights).toHaveLength(size * size);
    const row = (i: number) => weights.subarray(i * size, (i + 1) * size);
    const dot = (a: Float32Array, b: Float32Array) => a.reduce((sum, value, i) => sum + value * (b[i] ?? NaN), 0);
    for (let i = 0; i < size; i++) {
      for (let j = 0; j < i; j++) {
        const cosine = dot(row(i), row(j)) / Math.sqrt(dot(row(i), row(i)) * dot(row(j), row(j)));
        expect(Math.abs(cosine)).toBeLessThan(1e-6);
      }
    }
  });

  it("answers a flat grey patch in its first output alone", () => {
    const size = 48;
    const weights = dctFilters(4);
    const answers = Array.from({ length: size }, (_, i) =>
      weights.subarray(i * size, (i + 1) * size).reduce((sum, value) => sum + value, 0),
    );
    expect(answers).toBeAllClose([0.25 * Math.sqrt(48), ...Array.from({ length: size - 1 }, () => 0)], {
      rtol: 1e-6,
      atol: 1e-6,
    });
  });

  it("brings each frequency of luminance and of two color differences to its own gain", () => {
    const size = 27;
    const weights = dctFilters(3);
    const norms = Array.from({ length: size }, (_, i) =>
      Math.sqrt(weights.subarray(i * size, (i + 1) * size).reduce((sum, value) => sum + value * value, 0)),
    );
    const orders = [0, 1, 2, 1, 2, 3, 2, 3, 4];
    const gains = (mean: number, frequency: number) => orders.map((order) => (order === 0 ? mean : frequency * order));
    expect(norms).toBeAllClose([...gains(0.25, 0.75), ...gains(0.8, 2.25), ...gains(0.8, 2.25)]);
  });

  it("has the cosines of a patch of two pixels a side", () => {
    const of = (row: number) => [...dctFilters(2).subarray(12 * row, 12 * (row + 1))];
    const [gray, red, yellow] = [1 / Math.sqrt(3), 1 / Math.SQRT2, 1 / Math.sqrt(6)];
    const plane = (factor: number, signs: readonly number[]) => signs.map((sign) => (factor * sign) / 2);
    const columns = [1, -1, 1, -1];
    expect(of(1)).toBeAllClose([1, 1, 1].flatMap((part) => plane(0.75 * gray * part, columns)));
    expect(of(2)).toBeAllClose([1, 1, 1].flatMap((part) => plane(0.75 * gray * part, [1, 1, -1, -1])));
    expect(of(7)).toBeAllClose([1, -1, 0].flatMap((part) => plane(4.5 * red * part, [1, -1, -1, 1])));
    expect(of(8)).toBeAllClose([1, 1, -2].flatMap((part) => plane(0.8 * yellow * part, [1, 1, 1, 1])));
  });
});

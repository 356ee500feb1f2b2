import { beforeEach, describe, expect, it, vi } from "vitest";
import { picturedDots, scatterChart } from "../../../src/evaluate/report/databaseCharts.js";
import type { Picture } from "../../../src/evaluate/report/html.js";
import { trainingHistory, trainingSection } from "../../../src/evaluate/report/training.js";
import { extremeImages, extremeSection } from "../../../src/evaluate/report/extremeImages.js";
import { imageFilters } from "../../../src/evaluate/report/filters.js";
import type { Prediction } from "../../../src/evaluate/scoring/predictions.js";
import { LABELS, measuredResults, prediction } from "../support.js";

type Option = {
  readonly xAxis: { readonly name: string };
  readonly yAxis: { readonly name: string };
  readonly series: readonly { readonly type: string; readonly name?: string; readonly data: readonly number[][] }[];
};
const drawn = vi.hoisted(() => new Map<string, unknown>());

/** The charts are drawn as ever; what they were asked to draw is kept, by their ids. */
vi.mock("../../../src/evaluate/report/chart.js", async (importOriginal) => {
  const original = await importOriginal<typeof import("../../../src/evaluate/report/chart.js")>();
  const chartSvg: typeof original.chartSvg = (text, option) => {
    drawn.set(text.id, option);
    return original.chartSvg(text, option);
  };
  return { ...original, chartSvg };
});
const optionOf = (id: string) => drawn.get(id) as Option; // as chart.js is given them

beforeEach(() => {
  drawn.clear();
});

describe("scatterChart", () => {
  it("draws predicted quality across and MOS upwards, the curve as well", () => {
    const predictions = Array.from({ length: 12 }, (_, i) =>
      prediction({ image: `${i}.png`, quality: 1 + i / 3, mos: 90 / (1 + Math.exp(3 - i / 2)) }),
    );
    const evaluated = { name: "mine", split: 1, subset: "test", predictions, failed: [] } as const;
    const options = { protocol: "vqeg4", checkpoint: "", crops: 1, labels: LABELS, seed: 1, resamples: 10 } as const;
    const [results] = measuredResults([evaluated], options).databases;
    if (results?.mapping?.converged !== true) throw new Error("test: no curve");
    scatterChart("scatter", results, { predictions, labelsOf: () => "", photoOf: () => undefined });
    const { xAxis, yAxis, series } = optionOf("scatter");
    expect([xAxis.name, yAxis.name]).toEqual(["predicted quality", "mean opinion score"]);
    const [dots, line] = series;
    expect([dots?.type, line?.type]).toEqual(["scatter", "line"]);
    expect(dots?.data).toEqual(predictions.map(({ quality, mos }) => [quality, mos]));
    const { quality, mos } = results.mapping.curve;
    expect(line?.data).toEqual(quality.map((x, i) => [x, mos[i]]));
  });

  it("lays each picture's circle where its dot is: affine in quality and in MOS, upwards", () => {
    const predictions = Array.from({ length: 9 }, (_, i) =>
      prediction({ image: `${i}.png`, file: `/${i}.png`, quality: 1 + i / 3, mos: 10 + 7 * ((4 * i) % 9) }),
    );
    const evaluated = { name: "mine", split: 1, subset: "test", predictions, failed: [] } as const;
    const options = { protocol: "raw", checkpoint: "", crops: 1, labels: LABELS, seed: 1, resamples: 10 } as const;
    const [results] = measuredResults([evaluated], options).databases;
    if (results === undefined) throw new Error("test: no results");
    const pictured = picturedDots(predictions, 5);
    const photoOf = (dot: Prediction) => (pictured.includes(dot) ? `photo-${dot.image}` : undefined);
    const { text } = scatterChart("dots", results, { predictions, labelsOf: () => "", photoOf });
    expect(text.match(/<circle [^>]*data-of/g)).toHaveLength(predictions.length);
    expect(text).toContain("5 of the 9 dots have one.");
    const circles = [...text.matchAll(/<circle cx="([\d.]+)" cy="([\d.]+)" r="6"/g)].map(([, x, y]) => [
      Number(x),
      Number(y),
    ]);
    expect(pictured.map(({ image }) => image)).toEqual(["0.png", "2.png", "4.png", "6.png", "8.png"]);
    expect(circles).toHaveLength(5);
    const slopes = (axis: 0 | 1, key: "quality" | "mos") =>
      pictured.slice(1).map((dot, i) => {
        const moved = (circles[i + 1]?.[axis] ?? NaN) - (circles[i]?.[axis] ?? NaN);
        return moved / (dot[key] - (pictured[i]?.[key] ?? NaN));
      });
    const [right = NaN, down = NaN] = [slopes(0, "quality")[0], slopes(1, "mos")[0]];
    expect([right > 0, down < 0]).toEqual([true, true]);
    for (const slope of slopes(0, "quality")) expect(slope / right).toBeCloseTo(1, 2);
    for (const slope of slopes(1, "mos")) expect(slope / down).toBeCloseTo(1, 1); // tenths of a pixel over few of them
    expect(picturedDots(predictions, 1)).toEqual([]);
  });
});

describe("trainingSection", () => {
  it("draws losses as losses, weights as weights, and the rate and the validation as themselves", () => {
    const line = (step: number) => ({
      ...{ kind: "step", epoch: 0, step, loss: 9 + step, learningRate: 0.001 * (step + 1) },
      ...{ losses: { quality: 2 + step, scene: 4 - step }, weights: { quality: 0.5, scene: 1.5 + step } },
    });
    const epoch = { ...line(2), kind: "epoch", validation: { srcc: 0.7 } };
    const metrics = [line(0), line(1), epoch].map((one) => JSON.stringify(one)).join("\n");
    trainingSection(trainingHistory(metrics));
    const curves = (id: string) => optionOf(id).series.map(({ name, data }) => [name, data]);
    expect(curves("train-loss")).toEqual([
      ["quality", [[0, 2], [1, 3]]],
      ["scene", [[0, 4], [1, 3]]],
    ]); // prettier-ignore
    expect(curves("train-weights")).toEqual([
      ["quality", [[0, 0.5], [1, 0.5]]],
      ["scene", [[0, 1.5], [1, 2.5]]],
    ]); // prettier-ignore
    expect(curves("train-rate")).toEqual([["learning rate", [[0, 0.001], [1, 0.002]]]]); // prettier-ignore
    expect(curves("train-validation")).toEqual([["SRCC", [[2, 0.7]]]]);
  });
});

describe("extremeSection", () => {
  it("puts a dot on each window's middle, the darker the lower its score, and lists the scores in their order", () => {
    const qualities = [1, 4, 2.5];
    const scores = qualities.map((quality, i) => ({ top: 8 * i, left: 32 * i, quality }));
    const crops = { rows: 256, cols: 320, window: 224, scores };
    const images = extremeImages({ mapping: null }, [prediction({ file: "/a.png", crops })], 1);
    const picture: Picture = { ok: true, webp: Buffer.from("made") };
    const { text } = extremeSection(images, { pictures: new Map([["/a.png", picture]]), labelsOf: () => "" });
    const dots = [...text.matchAll(/<circle cx="(\d+)" cy="(\d+)" r="\d+" fill="rgb\(([\d,]+)\)"/g)];
    expect(dots.map(([, x, y]) => [Number(x), Number(y)])).toEqual([[112, 112], [144, 120], [176, 128]]); // prettier-ignore
    const light = dots.map(([, , , color = ""]) => color.split(",").reduce((sum, part) => sum + Number(part), 0));
    const [lowest = NaN, highest = NaN, between = NaN] = light;
    expect([lowest < between, between < highest]).toEqual([true, true]);
    expect(text).toContain("3 windows: 1.00, 4.00, 2.50");
  });
});

describe("imageFilters", () => {
  const labeled = (scenes: readonly string[], distortionLabel: string | null, predicted = "") =>
    prediction({ sceneLabels: scenes, distortionLabel, scene: predicted, distortion: predicted });

  it("marks an image with each of its labels, and offers them with their counts", () => {
    const images = [labeled(["still_life", "indoor"], "blur"), labeled(["indoor"], "noise"), labeled([], "blur")];
    const { controls, labelsOf } = imageFilters(images);
    expect(images.map(labelsOf)).toEqual(["s1 s0 d0", "s0 d1", "d0"]);
    const options = [...controls.text.matchAll(/<option value="(\w*)"[^>]*>([^<]*)</g)].map(([, mark, text]) => [mark, text?.trim()]); // prettier-ignore
    expect(options).toEqual([["", "all"], ["s0", "indoor (2)"], ["s1", "still life (1)"], ["", "all"], ["d0", "blur (2)"], ["d1", "noise (1)"]]); // prettier-ignore
  });

  it("goes by what the model says where the list has no labels, and says so", () => {
    const images = [labeled([], "blur", "animal"), labeled([], "noise", "night")];
    const { controls, labelsOf } = imageFilters(images);
    expect(images.map(labelsOf)).toEqual(["s0 d0", "s1 d1"]);
    expect([...controls.text.matchAll(/data-title="([^"]*)"/g)].map(([, title]) => title)).toEqual([
      "Scene (the model’s)",
      "Distortion",
    ]);
  });

  it("offers nothing where all images have one label", () => {
    const images = [labeled(["indoor"], null), labeled(["indoor"], null)];
    const { controls, labelsOf } = imageFilters(images);
    expect([controls.text, images.map(labelsOf)]).toEqual(["", ["", ""]]);
  });
});

import { beforeEach, describe, expect, it, vi } from "vitest";
import { axis, chartSvg } from "../../../src/evaluate/report/chart.js";
import { intervalChart, picturedDots, scatterChart } from "../../../src/evaluate/report/databaseCharts.js";
import type { Picture } from "../../../src/evaluate/report/html.js";
import { lineChart, trainingHistory, trainingSection } from "../../../src/evaluate/report/training.js";
import { extremeImages, extremeSection } from "../../../src/evaluate/report/extremeImages.js";
import { imageFilters } from "../../../src/evaluate/report/filters.js";
import type { Prediction } from "../../../src/evaluate/scoring/predictions.js";
import { alone, between, fullResults, plainResults, without } from "../shown.js";
import { expectedText, LABELS, measuredResults, prediction } from "../support.js";

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

describe("charts", () => {
  const images = { predictions: [prediction({ quality: 2, mos: 20 }), prediction({ quality: 4, mos: 90 })] };
  const scatter = { ...images, labelsOf: () => "", photoOf: () => undefined };
  const curve = (name: string, points: number) => ({
    name,
    points: Array.from({ length: points }, (_, step) => [step, step / 2] as const),
  });

  it("are drawn as charts.json.txt says: their places, axes, colors, lines and points", async () => {
    scatterChart("scatter", fullResults(), scatter);
    scatterChart("no-curve", plainResults(), scatter);
    intervalChart("intervals", fullResults(), 0.95);
    intervalChart(
      "below-0",
      plainResults({ srcc: between(-0.61, 0.5, 1), plcc: alone(-0.75), krcc: without("") }),
      0.9,
    );
    lineChart("one", [curve("a", 29)], { id: "one" });
    lineChart("six", ["a", "b", "c", "d", "e", "f"].map((name) => curve(name, name === "b" ? 30 : 2)), { id: "six", ordinate: { scale: true } }); // prettier-ignore
    const options = [...drawn].map(([id, option]) => `${id}: ${JSON.stringify(option)}`);
    await expectedText(`${options.join("\n")}\n`, "charts.json.txt");
  });

  it("differ in color or dashes for sixteen curves, whose legend has the rows it needs", () => {
    const names = Array.from({ length: 17 }, (_, i) => `curve ${i}`);
    lineChart("many", names.map((name) => curve(name, 2)), { id: "many" }); // prettier-ignore
    const { series, grid } = drawn.get("many") as { series: { lineStyle: object }[]; grid: { top: number } }; // as lineChart makes it
    const styles = series.map(({ lineStyle }) => JSON.stringify(lineStyle));
    expect(new Set(styles.slice(0, 16)).size).toBe(16);
    expect(styles[16]).toBe(styles[0]);
    expect(grid.top).toBe(14 + 20 * 5); // 10 names of 7 letters and 7 of 8: 1560 pixels of 360
  });

  it("say what they show, and on what their intervals rest", () => {
    const text = (percent: number, note: string | null) => {
      const resampling = { units: 8, drawnFrom: 8, resamples: 100, note };
      const { text } = intervalChart("x", plainResults({ resampling }), percent);
      return [/aria-label="([^"]*)" viewBox="([^"]*)"/, /<figcaption>([^<]*)</].flatMap((wanted) => wanted.exec(text)?.slice(1)); // prettier-ignore
    };
    expect(text(0.95, null)).toEqual(["plain: values and 95 % intervals", "0 0 360 146", "Values on their 95 % intervals, by 100 bootstraps of 8 images."]); // prettier-ignore
    expect(text(0.899, "only 8")[2]).toBe("Values on their 90 % intervals, by 100 bootstraps of 8 images; only 8.");
    const { mapping } = fullResults();
    if (mapping?.converged !== true) throw new Error("test: a curve");
    const captionOf = (of: typeof mapping | { converged: false; formula: string; reason: string }, count = 2) =>
      /<figcaption>([^<]*)</.exec(scatterChart("c", fullResults({ mapping: of, images: count }), scatter).text)?.[1]?.trim(); // prettier-ignore
    const start = "Predicted quality and mean opinion score, an image a dot.";
    expect(captionOf(mapping)).toBe(`${start} The line is the fitted logistic with b1 = 100.0, b2 = 0.000, b3 = 3.000, b4 = 0.5000.`); // prettier-ignore
    expect(captionOf({ ...mapping, digits: null })).toBe(`${start} The line is the fitted logistic, at a limit that no parameters reach: ever larger ones fit as well. Its points are in results.json.`); // prettier-ignore
    expect(captionOf({ converged: false, formula: "", reason: "constant MOS" })).toBe(`${start} No curve: constant MOS.`); // prettier-ignore
    expect(captionOf(mapping, 3)?.slice(start.length, 120)).toBe(" 2 of 3 images are drawn, spread evenly over the predictions. T"); // prettier-ignore
  });

  it("have dots that are smaller where they are more than 500, and pictures beside them inside the chart", () => {
    const dots = (count: number) => {
      const predictions = Array.from({ length: count }, (_, i) => prediction({ quality: 1 + i, mos: i }));
      return scatterChart("dots", plainResults(), { ...scatter, predictions }).text;
    };
    expect(dots(500)).toMatch(/<circle cx="[\d.]+" cy="[\d.]+" r="3" data-of="" \/>/);
    expect(dots(501)).toMatch(/<circle cx="[\d.]+" cy="[\d.]+" r="2" data-of="" \/>/);
    const predictions = [prediction({ image: "a\u202e", quality: 1, mos: 0 }), prediction({ image: "b", quality: 5, mos: 100 })]; // prettier-ignore
    const { text } = scatterChart("p", plainResults(), { predictions, labelsOf: ({ image }) => `of ${image}`, photoOf: ({ image }) => `photo-${image}` }); // prettier-ignore
    const pictures = [...text.matchAll(/<g class="dot" data-of="([^"]*)">\s*<title>([^<]*)<\/title>\s*<circle cx="([\d.]+)" cy="([\d.]+)" r="6" \/>\s*<use x="([\d.]+)" y="([\d.]+)" href="([^"]*)"/g)]; // prettier-ignore
    expect(pictures.map(([, of, title, , , , , photo]) => [of, title, photo])).toEqual([
      ["of a\u202e", "a\\u202e: people 0.000, model 1.000", "#photo-a\u202e"],
      ["of b", "b: people 100.0, model 5.000", "#photo-b"],
    ]);
    const [low, high] = pictures.map((parts) => parts.slice(3, 7).map(Number));
    const [lowX = NaN, lowY = NaN] = low ?? [];
    const [highX = NaN, highY = NaN] = high ?? [];
    expect([lowX < 180, highX > 180, lowY > 245, highY < 55]).toEqual([true, true, true, true]);
    expect(low?.slice(2)).toBeAllClose([lowX + 12, 300 - 110]); // right of it, not below the chart
    expect(high?.slice(2)).toBeAllClose([highX - 12 - 110, 0]); // left of it, not above
    expect(text).toContain("The pointer on a dot shows its photograph. All 2 dots have one.");
    expect(dots(2)).not.toContain("pointer");
  });
});

describe("chartSvg", () => {
  it("has ids of its own, and nothing for a mouse that nothing listens to", () => {
    const option = { xAxis: axis("x"), yAxis: axis("y"), series: [{ type: "line", data: [[0, 1], [1, 2]] }] }; // prettier-ignore
    const { text } = chartSvg({ id: "mine", label: 'a "b"', height: 200 }, option);
    expect(text.startsWith('<svg role="img" aria-label="a &quot;b&quot;" viewBox="0 0 360 200">')).toBe(true);
    expect(text).toMatch(/<clipPath id="mine-c0">/);
    expect(text).not.toMatch(/zr\d|pointer-events|<style|\n\n\n/);
    expect(text.match(/<\/?svg/g)).toHaveLength(2);
  });

  it("has axes whose names stand in their middle, in the page's colors, and takes an axis's own options", () => {
    const { axisLabel, type, nameGap } = axis("x", { type: "category", axisLabel: { color: "red" } });
    expect([type, nameGap, axisLabel]).toEqual(["category", 26, { color: "red", fontSize: 12, hideOverlap: true }]);
  });
});

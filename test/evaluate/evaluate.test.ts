import { describe, expect, it, vi } from "vitest";
import { seededRandom } from "../../src/base/random.js";
import { evaluate, keyOf, measureDatabases } from "../../src/evaluate/evaluate.js";
import { fitMapping } from "../../src/evaluate/mapping/fitMapping.js";
import { srcc } from "../../src/evaluate/metrics/correlation.js";
import { rmse } from "../../src/evaluate/metrics/errors.js";
import { PROTOCOLS } from "../../src/evaluate/protocols.js";
import { type EvaluatedDatabase, type Prediction, predictionsCsv } from "../../src/evaluate/scoring/predictions.js";
import { benchmarkTable } from "../../src/evaluate/tables/benchmarkTable.js";
import { LABELS, measuredResults, prediction } from "./support.js";

const OPTIONS = { checkpoint: "run/split-1/best", crops: 15, labels: LABELS, seed: 1, resamples: 100 } as const;

/** `count` images of six contents whose quality follows MOS with some noise. */
function database(name: string, count: number, high: number, given: Partial<Prediction> = {}): EvaluatedDatabase {
  const random = seededRandom(4, name);
  const predictions = Array.from({ length: count }, (_, i) => {
    const quality = 1 + 4 * random.uniform();
    const mos = (high * (quality - 1)) / 4 + 0.1 * high * random.normal();
    const distortionLabel = LABELS.distortions[i % 3] ?? null;
    return prediction({
      database: name,
      image: `${i}.png`,
      mos,
      quality,
      distortionLabel,
      content: `${i % 6}`,
      ...given,
    });
  });
  return { name, split: 1, subset: "test", predictions, failed: [] };
}

function qualities(predictions: readonly Prediction[]): number[] {
  return predictions.map(({ quality }) => quality);
}

describe("buildResults", () => {
  const mine = database("mine", 60, 100);
  const results = measuredResults([mine, database("kadid10k", 60, 1)], { ...OPTIONS, protocol: "liqe" });

  it("gives each measure its value within its interval", () => {
    for (const { srcc, plcc, krcc, rmse, distortionAccuracy } of results.databases) {
      for (const measure of [srcc, plcc, krcc, rmse, distortionAccuracy]) {
        if (measure.value === null || measure.low === null) throw new Error(JSON.stringify(measure));
        expect(measure.low).toBeLessThanOrEqual(measure.value);
        expect(measure.high).toBeGreaterThanOrEqual(measure.value);
        expect(measure.high).toBeGreaterThan(measure.low);
      }
    }
  });

  it("measures what the functions of their names measure, and means over the databases", () => {
    const expected = [mine, database("kadid10k", 60, 1)].map(({ predictions }) => {
      const result = srcc(predictions.map((p) => p.quality), predictions.map((p) => p.mos)); // prettier-ignore
      return result.ok ? result.value : NaN;
    });
    expect(results.databases.map((one) => one.srcc.value)).toEqual(expected);
    expect([results.mean.srcc.value ?? NaN]).toBeAllClose([((expected[0] ?? NaN) + (expected[1] ?? NaN)) / 2]);
  });

  it("pools databases of different scales after their realignment", () => {
    const apart = [...results.databases.map((one) => one.srcc.value ?? NaN)];
    // MOS from 0 to 100 and from 0 to 1: unaligned, the pooled ranks would be the databases'.
    expect(results.pooled.srcc.value).toBeGreaterThan(Math.min(...apart) - 0.05);
  });

  it("measures the images of each distortion and scene, on the database's own curve", () => {
    const predictions = mine.predictions.map((one, i) => ({
      ...one,
      sceneLabels: i % 4 === 0 ? LABELS.scenes : i % 2 === 0 ? ["animal"] : [],
    }));
    const [one] = measuredResults([{ ...mine, predictions }], { ...OPTIONS, protocol: "liqe" }).databases;
    expect(one?.byDistortion.map(({ label, images }) => [label, images])).toEqual(LABELS.distortions.map((label) => [label, 20])); // prettier-ignore
    expect(one?.byScene.map(({ label, images }) => [label, images])).toEqual([["animal", 30], ["night", 15]]); // prettier-ignore
    const fit = fitMapping(PROTOCOLS.liqe, qualities(predictions), predictions.map(({ mos }) => mos)); // prettier-ignore
    const noise = predictions.filter(({ distortionLabel }) => distortionLabel === "noise");
    const mos = noise.map((prediction) => prediction.mos);
    const mapped = fit.ok ? fit.mapping.apply(qualities(noise)) : [];
    const expected = [srcc(qualities(noise), mos), rmse(mapped, mos)].map((result) => (result.ok ? result.value : NaN));
    const group = one?.byDistortion.find(({ label }) => label === "noise");
    expect([group?.srcc.value ?? NaN, group?.rmse.value ?? NaN]).toBeAllClose(expected);
    for (const { value, ...ends } of [group?.srcc, group?.plcc, group?.rmse].map(
      (measure) => measure ?? { value: null },
    )) {
      expect(ends).toMatchObject({ low: expect.any(Number) as unknown, high: expect.any(Number) as unknown });
      expect(value).not.toBeNull();
    }
    expect(group?.distortionAccuracy.value).toBe(0); // all are predicted to be blur
  });

  it("has a reason for what a group of one image cannot have, and no interval where most resamples miss it", () => {
    const predictions = mine.predictions.map((one, i) => ({
      ...one,
      content: null,
      distortionLabel: i === 7 ? "noise" : "blur",
    }));
    const [one] = measuredResults([{ ...mine, predictions }], { ...OPTIONS, protocol: "liqe" }).databases;
    const noise = one?.byDistortion.find(({ label }) => label === "noise");
    expect(noise).toMatchObject({ images: 1, units: 1, srcc: { value: null, reason: "too few images" } });
    expect(noise?.rmse).toMatchObject({ low: null, intervalReason: "nothing to resample: one unit" });
    expect(one?.byDistortion.map(({ label }) => label)).toEqual(["blur", "noise"]); // none of "other"
  });

  it("counts outliers by the opinions' deviations, where they are known", () => {
    const withStd = (mosStd: number | null) => {
      const predictions = mine.predictions.map((one, i) => ({ ...one, mosStd: i % 2 === 0 ? mosStd : null }));
      return measuredResults([{ ...mine, predictions }], { ...OPTIONS, protocol: "liqe" }).databases[0];
    };
    expect(withStd(1e-3)).toMatchObject({ deviations: 30, outlierRatio: { value: 1 } });
    expect(withStd(1e3)).toMatchObject({ deviations: 30, outlierRatio: { value: 0 } });
    const unknown = { deviations: 0, outlierRatio: { value: null, reason: "no deviations of the opinion scores" } };
    for (const mosStd of [null, 0]) expect(withStd(mosStd)).toMatchObject(unknown);
  });

  it("has the fitted curve for a plot, or why there is none", () => {
    // Logistic MOS: where the best curve is a straight line, its parameters have no digits left, and `curve` has.
    const bent = mine.predictions.map((one, i) => ({ ...one, mos: 90 / (1 + Math.exp(3 - one.quality)) + (i % 5) }));
    const [fitted] = measuredResults([{ ...mine, predictions: bent }], { ...OPTIONS, protocol: "liqe" }).databases;
    if (fitted?.mapping?.converged !== true) throw new Error(JSON.stringify(fitted?.mapping));
    const { quality, mos } = fitted.mapping.curve;
    const [b1 = NaN, b2 = NaN, b3 = NaN, b4 = NaN] = fitted.mapping.parameters;
    const formula = (x: number) => (b1 - b2) / (1 + Math.exp(-(x - b3) / Math.abs(b4))) + b2;
    expect(mos).toBeAllClose(quality.map(formula), { rtol: 1e-9, atol: 1e-9 });
    expect([quality[0], quality.at(-1)]).toEqual(
      [Math.min, Math.max].map((end) => end(...qualities(mine.predictions))),
    );
    const constant = database("constant", 20, 100, { mos: 7 });
    expect(measuredResults([constant], { ...OPTIONS, protocol: "liqe" }).databases[0]?.mapping).toMatchObject({
      converged: false,
      reason: "constant MOS",
    });
    expect(measuredResults([mine], { ...OPTIONS, protocol: "raw" }).databases[0]?.mapping).toBeNull();
  });

  it.each([
    ["a logistic, four", (q: number) => 90 / (1 + Math.exp(3 - q)), [4]],
    ["a rising exponential, few", (q: number) => 5 * Math.exp(q), [4, 5, 6]],
    ["a straight line, many", (q: number) => 20 * q, [7, 8, 9, 10, 11, 12]],
    ["an exponential that levels off, none", (q: number) => 90 - 80 * Math.exp(-q), [null]],
  ])("says how many digits of the parameters give the curve back: of %s", (_, of, expected) => {
    const bent = mine.predictions.map((one, i) => ({ ...one, mos: of(one.quality) + 1e-3 * (i % 5) }));
    const [fitted] = measuredResults([{ ...mine, predictions: bent }], { ...OPTIONS, protocol: "liqe" }).databases;
    if (fitted?.mapping?.converged !== true) throw new Error(JSON.stringify(fitted?.mapping));
    const { digits, parameters, curve } = fitted.mapping;
    expect(fitted.plcc.value).toBeGreaterThan(0.999);
    expect(expected).toContain(digits);
    const misses = (kept: number): number => {
      const [b1 = NaN, b2 = NaN, b3 = NaN, b4 = NaN] = parameters.map((value) => Number(value.toPrecision(kept)));
      const span = Math.max(...curve.mos) - Math.min(...curve.mos);
      const formula = (x: number) => (b1 - b2) / (1 + Math.exp(-(x - b3) / Math.abs(b4))) + b2;
      return Math.max(...curve.quality.map((x, i) => Math.abs(formula(x) - (curve.mos[i] ?? NaN)))) / span;
    };
    if (digits === null) expect(misses(17)).toBeGreaterThan(1e-3);
    else expect(misses(digits)).toBeLessThanOrEqual(1e-3);
    if (digits !== null && digits > 4) expect(misses(digits - 1)).toBeGreaterThan(1e-3);
  });

  it("says which curve put each database's MOS on the model's scale", () => {
    const { realignments } = results.pooled;
    expect(realignments.map(({ name, split }) => [name, split])).toEqual([["mine", 1], ["kadid10k", 1]]); // prettier-ignore
    for (const { parameters } of realignments) expect(parameters).toHaveLength(4);
  });

  it.each(["liqe", "vqeg4", "logistic5", "raw"] as const)("pools by LIQE's own fit where %s measures", (protocol) => {
    const both = [mine, database("kadid10k", 60, 1)];
    const { realignments, srcc: pooled } = measuredResults(both, { ...OPTIONS, protocol }).pooled;
    const fits = both.map(({ predictions }) => {
      const [mos, quality] = [predictions.map((one) => one.mos), qualities(predictions)];
      const of = (name: "liqe" | "vqeg4") => {
        const fit = fitMapping(PROTOCOLS[name], mos, quality);
        if (!fit.ok) throw new Error(fit.reason);
        return fit.mapping;
      };
      expect(of("vqeg4").parameters).not.toEqual(of("liqe").parameters); // other starts end elsewhere, if not far
      return { quality, aligned: of("liqe").apply(mos), parameters: of("liqe").parameters };
    });
    expect(realignments.map(({ parameters }) => parameters)).toEqual(fits.map(({ parameters }) => parameters));
    const wanted = srcc(
      fits.flatMap(({ quality }) => quality),
      fits.flatMap(({ aligned }) => [...aligned]),
    );
    expect(pooled.value).toBe(wanted.ok ? wanted.value : NaN);
  });

  it("says what was resampled, how often, and that it was little", () => {
    const [first] = results.databases;
    expect(first?.resampled).toBe("contents");
    expect(first?.resampling).toEqual({
      units: 6,
      drawnFrom: 6,
      resamples: 100,
      note: "only 6 contents, too few to rely on intervals: in simulations they cover the true value in 94 %, and say 95 %",
    });
  });

  it("states its protocol with its version, and the curve it fitted", () => {
    expect(results).toMatchObject({ protocol: "liqe", protocolVersion: 3, checkpoint: "run/split-1/best" });
    const mapping = results.databases[0]?.mapping;
    if (mapping?.converged !== true) throw new Error("no curve");
    expect(mapping.startsTried).toBeGreaterThan(1); // the points lie on a line, which is a sigmoid's middle far away
    expect(mapping.startsConverged).toBe(mapping.startsTried);
  });

  it("gives a reason in place of each value that cannot be had", () => {
    const few = { ...mine, predictions: mine.predictions.slice(0, 3) };
    const constant = database("constant", 20, 100, { mos: 7, distortionLabel: null });
    const none = { ...mine, predictions: [], failed: [{ database: "mine", image: "a.png", error: "a.png: broken" }] };
    const { databases, mean, pooled } = measuredResults([few, constant, none], { ...OPTIONS, protocol: "liqe" });
    expect(databases[0]?.plcc).toEqual({ value: null, reason: "too few images: 3 for a curve of 4 parameters" });
    expect(databases[0]?.srcc.value).not.toBeNull();
    expect(databases[1]?.srcc).toEqual({ value: null, reason: "constant MOS" });
    expect(databases[1]?.sceneAccuracy).toEqual({ value: null, reason: "no labeled images" });
    expect(databases[2]).toMatchObject({ images: 0, failed: [{ image: "a.png", error: "a.png: broken" }] });
    expect(databases[2]?.rmse).toEqual({ value: null, reason: "too few images" });
    expect(mean.srcc).toEqual({ value: null, reason: "2 of 3 have no value: constant MOS" });
    expect(pooled.srcc).toEqual({ value: null, reason: "mine: MOS cannot be put on the model's scale: too few images: 3 for a curve of 4 parameters" }); // prettier-ignore
  });

  it("has a value without an interval where most resamples are too few different images for the curve", () => {
    const six = { ...mine, predictions: mine.predictions.slice(0, 6).map((one) => ({ ...one, content: null })) };
    const [few] = measuredResults([six], { ...OPTIONS, protocol: "liqe" }).databases;
    expect(few?.srcc).toMatchObject({ low: expect.any(Number) as unknown });
    expect(few?.plcc).toMatchObject({ low: null, high: null });
    expect(JSON.stringify(few?.plcc)).toMatch(/of the resamples have no value \(too few images: \d for a curve of 4/);
  });

  it("is JSON without NaN, and the same when made again", () => {
    const again = measuredResults([mine, database("kadid10k", 60, 1)], { ...OPTIONS, protocol: "liqe" });
    expect(JSON.parse(JSON.stringify(results))).toEqual(results);
    expect(again).toEqual(results);
  });
});

describe("measureDatabases", () => {
  it("reports the resamples of all lists once they take longer than two seconds", () => {
    const reports: { label: string; done: number; total: number; unit: string }[] = [];
    let now = 0;
    const clock = vi.spyOn(performance, "now").mockImplementation(() => (now += 100));
    try {
      const lists = [database("mine", 20, 100), database("other", 20, 100)];
      measureDatabases(lists, { ...OPTIONS, protocol: "raw", resamples: 30, report: ({ label, done, total, unit }) => reports.push({ label, done, total, unit }) }); // prettier-ignore
    } finally {
      clock.mockRestore();
    }
    expect(reports[0]).toEqual({ label: "intervals", done: 21, total: 60, unit: "resamples" }); // 21 times .1 s
    expect(reports.at(-1)).toMatchObject({ done: 60, total: 60 });
  });
});

describe("evaluate", () => {
  it("has nothing to measure without a part, and says what to do", async () => {
    const none = (async function* () {})();
    await expect(evaluate(none)).rejects.toThrow("evaluate: no split was named; leave split out, or name one");
  });

  it("has one key for a list, whoever scores it", () => {
    expect(keyOf({ name: "live", split: 3, subset: "val" })).toBe("live/3/val");
    expect(keyOf({ name: "mine", split: null, subset: "test" })).toBe("mine/list/test");
  });
});

describe("benchmarkTable", () => {
  const failed = [{ database: "mine", image: "x.png", error: "x.png: not an image" }];
  const results = measuredResults([{ ...database("mine", 60, 100), failed }, database("kadid10k", 60, 1)], {
    ...OPTIONS,
    protocol: "vqeg4",
  });
  const withFigures = results.databases.map((one) =>
    one.name === "kadid10k" ? { ...one, published: { srcc: 0.93, plcc: 0.931 } } : one,
  );
  const lines = benchmarkTable({ ...results, databases: withFigures }).split("\n");

  it("fits 80 columns, without colour", () => {
    expect(Math.max(...lines.map((line) => line.length))).toBe(80); // the rule's
    expect(lines.join("")).not.toContain("\u001b");
  });
  it("shows the measures, their intervals and the published figures, which a database's name does not bring", () => {
    expect(results.databases.map(({ published }) => published)).toEqual([null, null]);
    const kadid = lines.findIndex((line) => line.startsWith("kadid10k "));
    expect(lines[kadid]).toContain((results.databases[1]?.srcc.value ?? NaN).toFixed(3));
    expect(lines[kadid + 1]).toMatch(/^ {2}95 % +\.\d\d–\.\d\d/);
    expect(lines[kadid + 2]).toMatch(/^ {2}published +0\.930 +0\.931$/);
    expect(lines.filter((line) => line.includes("published"))).toHaveLength(1);
  });
  it("says why a column has a dash, which protocol it was, and which images failed", () => {
    const text = lines.join("\n").replaceAll("\n  ", " ").replace("left out: x", "left out:\n  x"); // lines are wrapped
    expect(text).toContain("no scene acc. for mine, kadid10k: no labeled images");
    expect(text).toContain("protocol vqeg4 (version 2)");
    expect(text).toContain("mine: 1 of 61 images have no score and are left out:\n  x.png: not an image");
    expect(text).toContain("only 6 contents");
  });
});

describe("predictionsCsv", () => {
  it("has the contract's columns, joins scenes by | and quotes what needs it", () => {
    const csv = predictionsCsv([
      prediction({ image: 'a, "b".png', sceneLabels: ["animal", "night"], distortionLabel: "noise" }),
      prediction({ image: "c.png", scene: "", distortion: "" }),
    ]);
    expect(csv).toBe(
      "database,image,mos,quality,scene,distortion,sceneLabel,distortionLabel\n" +
        'mine,"a, ""b"".png",50,3,animal,blur,animal|night,noise\n' +
        "mine,c.png,50,3,,,,\n",
    );
  });
});

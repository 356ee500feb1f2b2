import { describe, expect, it } from "vitest";
import { extremeImages, extremeSection } from "../../../src/evaluate/report/extremeImages.js";
import { gmadPage } from "../../../src/evaluate/report/gmadPage.js";
import type { Picture } from "../../../src/evaluate/report/html.js";
import { imagesTable } from "../../../src/evaluate/report/imagesTable.js";
import { metricsTable } from "../../../src/evaluate/report/metricsTable.js";
import { progressPage } from "../../../src/evaluate/report/progressPage.js";
import { reportPage } from "../../../src/evaluate/report/reportPage.js";
import { runsPage } from "../../../src/evaluate/report/runsPage.js";
import { trainingHistory, trainingSection } from "../../../src/evaluate/report/training.js";
import { groupDifferentiation, type ScoredPair } from "../../../src/evaluate/metrics/gmad.js";
import type { DatabaseResults } from "../../../src/evaluate/results/databaseResults.js";
import type { Prediction } from "../../../src/evaluate/scoring/predictions.js";
import { alone, between, fullResults, plainResults, shownResults, without } from "../shown.js";
import { expectedPage, prediction } from "../support.js";

const PICTURE: Picture = { ok: true, webp: Buffer.from("made") };

/** Four images of which labels are known, right and wrong ones; the last has several scenes and one window. */
const LABELED: readonly Prediction[] = [
  prediction({ image: "a\u202e.png", file: "/a", mos: 10, quality: 1.5, distortionLabel: "blur", sceneLabels: ["animal"] }), // prettier-ignore
  prediction({ image: "b.png", file: "/b", mos: 80, quality: 2, distortion: "jpeg_2000", distortionLabel: "white_noise", sceneLabels: ["still_life", "night"] }), // prettier-ignore
  prediction({ image: "c.png", file: "/c", mos: 50, quality: 3.25, scene: "night", distortionLabel: "blur" }),
  prediction({
    ...{ image: "d.png", file: "/d", mos: 95, quality: 4.5, scene: "", distortion: "", distortionLabel: "blur" },
    sceneLabels: ["night"],
    crops: { rows: 300, cols: 224, window: 224, scores: [{ top: 0, left: 0, quality: 4 }, { top: 76, left: 0, quality: 5 }] }, // prettier-ignore
  }),
];

function reported(results: DatabaseResults, predictions: readonly Prediction[], pictured: readonly Prediction[]) {
  return { results, predictions, extremes: extremeImages(results, predictions, 1), pictured };
}

/** Lines of metrics.jsonl: three steps, the second of a loss that is not finite, and two epochs. */
function metrics(validation: object | null = { srcc: 0.75 }): string {
  const step = (number: number, loss: unknown) => ({
    ...{ kind: "step", step: number, loss, learningRate: 0.001, losses: { quality: 1, scene: loss } },
    weights: { quality: 1, scene: 0.5 },
  });
  const epoch = (number: number) => ({ ...step(number, 2), kind: "epoch", epoch: number, validation });
  const lines = [step(0, 2), step(1, "-Infinity"), step(2, 1), epoch(0), epoch(1), { kind: "other" }];
  return lines.map((line) => JSON.stringify(line)).join("\n");
}

describe("reportPage", () => {
  const both = [
    reported(fullResults({ images: 4 }), LABELED, LABELED.slice(0, 2)),
    reported(plainResults({ images: 1 }), LABELED.slice(2, 3), []),
  ];
  const data = {
    results: shownResults(both.map(({ results }) => results)),
    databases: both,
    pictures: new Map<string, Picture>([["/a", PICTURE], ["/b", { ok: false, reason: "it is gone" }]]), // prettier-ignore
    thumbnails: new Map<string, Picture>([["/a", PICTURE], ["/b", { ok: false, reason: "it is gone" }]]), // prettier-ignore
    training: trainingHistory(metrics()),
  };

  it("is the page of reportPage.txt", async () => {
    await expectedPage(reportPage(data), "reportPage.txt");
  });

  it("folds the databases where they are more than two, and says where scores came from", () => {
    const [first] = both;
    if (first === undefined) throw new Error("test: a database");
    const third = reported(plainResults({ name: "third" }), [], []);
    const page = reportPage({ ...data, results: { ...data.results, crops: null }, databases: [...both, third] });
    expect(page.match(/<details><summary><h2/g)).toHaveLength(3);
    expect(reportPage(data).match(/<details open><summary><h2/g)).toHaveLength(2);
    expect(page).toContain("<dd>scores from a file</dd>");
  });

  it("names twenty images without a score, and counts those beyond them", () => {
    const failed = Array.from({ length: 20 }, (_, i) => ({ image: `x${i}`, error: `broken ${i}` }));
    const listOf = (more: readonly { readonly image: string; readonly error: string }[]) => {
      const one = reported(plainResults({ failed: [...failed, ...more], images: 3 }), [], []);
      const page = reportPage({ ...data, databases: [one] });
      return /<p>(\d+ of \d+ images have no score[^<]*)<\/p>\s*<ul>([^]*?)<\/ul>/.exec(page)?.slice(1) ?? [];
    };
    const [title, list = ""] = listOf([]);
    expect(title).toBe("20 of 23 images have no score and are left out:");
    expect(list.match(/<li>/g)).toHaveLength(20);
    expect(list.trim().endsWith('<li><bdi class="file">x19</bdi>: broken 19</li>')).toBe(true);
    expect(
      listOf([{ image: "y", error: "" }])[1]
        ?.trim()
        .endsWith("broken 19</li><li>and 1 more</li>"),
    ).toBe(true);
  });
});

describe("style sheet", () => {
  it("has eight shades for matrices, in even steps up to half of the accent", () => {
    const style = /<style>([^]*?)<\/style>/.exec(runsPage({ runs: [], differences: [] }))?.[1] ?? "";
    const shades = [...style.matchAll(/\.h(\d)\{background:color-mix\(in srgb,var\(--s1\) (\d+)%,var\(--paper\)\)\}/g)];
    expect(shades.map(([, shade, percent]) => [shade, percent].join(" "))).toEqual(["1 6", "2 13", "3 19", "4 25", "5 31", "6 38", "7 44", "8 50"]); // prettier-ignore
  });
});

describe("metricsTable", () => {
  it("has no rows of all databases, no notes and no list of them where there is one database without gaps", () => {
    const measures = { srcc: between(0, 0.5, 1), plcc: between(0, 0.5, 1), krcc: between(0, 0.5, 1) };
    const full = fullResults({ ...measures, sceneAccuracy: between(0, 1, 1), outlierRatio: between(0, 0.5, 1) });
    const none = { value: null, reason: "" } as const;
    const levels = { mean: none, withOpinions: none, width: none, withErrors: none };
    const one = { ...full, noiseCeiling: none, predictedDeviations: { levels, windows: levels } };
    const { text } = metricsTable({ ...shownResults([one]), confidence: 0.899 });
    expect(text).not.toMatch(/together|<ul|ceiling/);
    expect(text).toContain("<span>Values, below them their 90 % intervals</span>");
    const without_ = metricsTable(shownResults([{ ...one, rmse: without("no curve") }])).text;
    expect(without_).not.toContain(">RMSE<"); // a column that no database has a value of
    expect(without_).toContain("<li>a-long-database, split 2: no RMSE: no curve</li>");
  });
});

describe("extremeSection", () => {
  const pictures = new Map<string, Picture>();
  const cardsOf = (...images: Prediction[]) =>
    extremeSection(extremeImages({ mapping: null }, images, 9), { pictures, labelsOf: () => "" }).text;
  const predicted = (given: Partial<Prediction>) => / <p>(Predicted [^<]*|)<\/p>/.exec(cardsOf(prediction(given)))?.[1];

  it("says what was predicted and whether the list's labels say so too, as words", () => {
    const unlabeled = { scene: "still_life", distortion: "white_noise" };
    expect(predicted(unlabeled)).toBe("Predicted distortion white noise, scene still life.");
    expect(predicted({ ...unlabeled, distortionLabel: "white_noise", sceneLabels: ["night", "still_life"] })).toBe("Predicted distortion white noise (right), scene still life (right)."); // prettier-ignore
    expect(predicted({ ...unlabeled, distortionLabel: "jpeg_2000", sceneLabels: ["night", "city_scape"] })).toBe("Predicted distortion white noise (label: jpeg 2000), scene still life (label: night or city scape)."); // prettier-ignore
    expect(predicted({ ...unlabeled, distortion: "" })).toBe("Predicted scene still life.");
    expect(predicted({ ...unlabeled, scene: "" })).toBe("Predicted distortion white noise.");
    expect(predicted({ scene: "", distortion: "", distortionLabel: "blur" })).toBe("");
  });

  it("has one image alone among the farthest, and lays no dots where there is no picture", () => {
    const text = cardsOf(prediction());
    expect(text).toContain("<p>None: all images are among the farthest.</p>");
    expect(text).toContain("Its only window: 3.00");
    expect(text).toContain('<p class="missing">No picture.</p>');
    expect(text).not.toContain("<svg");
  });
});

describe("imagesTable", () => {
  it("says which part of the images it lists, and is not there without any", () => {
    const table = (images: number, listed: readonly Prediction[]) =>
      imagesTable(plainResults({ images }), { listed, labelsOf: () => "", photoOf: () => undefined }).text;
    expect(table(4, LABELED)).toContain("<span>All 4 images</span>");
    expect(table(5, LABELED)).toContain("<span>4 of 5 images, spread evenly over the predictions; predictions.csv has all</span>"); // prettier-ignore
    expect(table(4, LABELED)).not.toContain("on their scale"); // no curve was fitted
    expect(table(0, [])).toBe("");
  });
});

describe("trainingSection", () => {
  it("says of how many steps a point is the mean, and what it could not read", () => {
    const lines = Array.from({ length: 301 }, () => metrics().split("\n")[0] ?? "");
    const text = (metrics: string) => trainingSection(trainingHistory(metrics)).text.replaceAll(/\s+/g, " ");
    expect(text(lines.join("\n")).match(/ A point is the mean of 2 steps\./g)).toHaveLength(3);
    expect(text(lines.slice(1).join("\n"))).not.toContain("A point");
    expect(text([...lines, "no", "{}"].join("\n"))).toContain("<p> 301 steps, 0 epochs. 2 lines of metrics.jsonl could not be read and are left out. </p>"); // prettier-ignore
    expect(text(lines.join("\n"))).toContain("<p>No validation curve: no epoch has a validation SRCC.</p>");
    expect(text(metrics({ srcc: null, pairs: null }))).toContain("no epoch has a validation accuracy on pairs.");
    expect(text(metrics({ srcc: null, pairs: 0.5 }))).toContain("<figcaption>Mean validation accuracy on pairs.</figcaption>"); // prettier-ignore
    expect(text(metrics(null))).toContain("no epoch has a validation SRCC.");
  });

  it("reads numbers that are not finite by their words, and no other words", () => {
    const losses = (loss: unknown) => {
      const history = trainingHistory(JSON.stringify({ kind: "step", step: 0, loss, losses: {}, weights: {}, learningRate: 1 })); // prettier-ignore
      return history.ok ? history.steps.map((step) => step.loss) : history.reason;
    };
    expect(["NaN", "Infinity", "-Infinity", 2].map(losses)).toEqual([[NaN], [Infinity], [-Infinity], [2]]);
    expect(["", "inf", null].map(losses)).toEqual(Array(3).fill("metrics.jsonl holds no step that can be read"));
  });
});

describe("progressPage", () => {
  const table = [
    { epoch: 1, loss: 1.25, validation: null },
    { epoch: 2, loss: 0.5, validation: 0.875 },
    { epoch: 3, loss: 0.75, validation: 0.75 },
  ];
  const data = {
    ...{
      folder: "runs/mine",
      split: 3,
      epochs: 9,
      firstBatch: "first.png",
      measure: "SRCC",
      refreshSeconds: 30,
      table,
    },
    training: trainingHistory(metrics()),
  };

  it("is the page of progressPage.txt while it trains", async () => {
    await expectedPage(progressPage(data), "progressPage.txt");
  });

  it("shows the last twelve epochs, and says so, and what there is not", () => {
    const epochs = Array.from({ length: 13 }, (_, i) => ({ epoch: i + 1, loss: 1, validation: null }));
    const page = (table: typeof epochs) =>
      progressPage({ ...data, table, firstBatch: null, refreshSeconds: undefined, training: trainingHistory("") });
    const rows = (text: string) => [...text.matchAll(/<th scope="row">(\d+)</g)].map(([, epoch]) => Number(epoch));
    expect(rows(page(epochs))).toEqual([2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13]);
    expect(page(epochs)).toContain("<span>The last 12 epochs; the loss is the mean over an epoch&#39;s steps</span>"); // prettier-ignore
    expect(page(epochs.slice(1))).toContain("<span>All epochs so far; ");
    expect(page(epochs)).toContain("<dd>no validation yet</dd>");
    expect(page(epochs)).not.toMatch(/first batch|http-equiv="refresh"/);
  });
});

describe("runsPage", () => {
  const database = (given: object) => ({
    ...{ name: "live", split: 1, subset: "test", images: 24, published: null },
    ...{ srcc: between(0.5, 0.75, 1), plcc: alone(0.625), krcc: { value: 0.375 }, rmse: { value: 12.5, low: null, high: 20 } }, // prettier-ignore
    ...{ sceneAccuracy: { value: null }, distortionAccuracy: { value: 1, low: 0, high: null } },
    ...given,
  });
  const results = (...databases: ReturnType<typeof database>[]) => ({ protocol: "liqe", protocolVersion: 3, checkpoint: "best", crops: 15, databases }); // prettier-ignore
  const finished = {
    ...{ title: "a, split 1", state: "finished", epoch: 9, epochs: 9, seconds: 3725, report: "a/report.html" },
    best: { measure: "srcc" as const, value: 0.875, epoch: 4 },
    validation: [{ step: 10, srcc: 0.5 }, { step: 20, srcc: 0.875 }], // prettier-ignore
    results: results(database({}), database({ name: "spaq", subset: "val" })),
  };
  const begun = {
    ...{ title: "b", state: "training", epoch: 1, epochs: null, best: null, seconds: 40, validation: [], results: null, report: null }, // prettier-ignore
  };

  it("is the page of runsPage.txt", async () => {
    const differences = [
      { key: "train.epochs", values: [9, undefined] },
      { key: "name", values: ["a<b", ["x", 1]] },
    ];
    await expectedPage(runsPage({ runs: [finished, begun], differences }), "runsPage.txt");
  });

  it("says in place of each part that has no data why it is not there", () => {
    const alone = runsPage({ runs: [begun], differences: [] });
    expect(alone).toContain("<title>b</title>");
    expect(alone).toContain("<p>No results: none of these runs is finished.</p>");
    expect(alone).toContain("<p>No validation curve: no epoch has a validation SRCC.</p>");
    expect(alone).toContain("<p>One run: nothing to compare its config with.</p>");
    const alike = runsPage({ runs: [begun, finished], differences: [] });
    expect(alike).toContain("<p>The configs are the same but for the runs' names.</p>");
    expect(runsPage({ runs: [{ ...begun, best: { measure: "pairs", value: 0.5, epoch: 2 } }], differences: [] })).toContain('<data value="0.5">accuracy on pairs 0.500</data> (epoch 2)'); // prettier-ignore
  });

  it("draws sixteen curves, and counts those beyond them", () => {
    const runs = (count: number) => Array.from({ length: count }, (_, i) => ({ ...finished, title: `run ${i}` }));
    const page = (count: number) => runsPage({ runs: runs(count), differences: [] });
    expect(page(18)).toContain("<figcaption>Mean validation SRCC. The first 16 runs; 2 more are in the tables.</figcaption>"); // prettier-ignore
    expect(page(16)).toContain("<figcaption>Mean validation SRCC.</figcaption>");
    const [chart = ""] = /<svg role="img"[^]*?<\/svg>/.exec(page(18)) ?? [];
    expect([chart.includes("run 15"), chart.includes("run 16")]).toEqual([true, false]);
  });
});

describe("gmadPage", () => {
  const images: ScoredPair[] = [[1, 3], [1.5, 1], [3, 2], [5, 4]].map(([a = 0, b = 0], i) => ({ file: `/${i}.png`, qualities: [a, b] })); // prettier-ignore
  const data = {
    ...{ models: ["runs/a", "runs/b"] as const, images: 4, failed: [], defences: groupDifferentiation(images, 3) },
    pictures: new Map<string, Picture>([["/0.png", PICTURE], ["/1.png", { ok: false, reason: "it is gone" }]]), // prettier-ignore
  };

  it("is the page of gmadPage.txt", async () => {
    await expectedPage(gmadPage(data), "gmadPage.txt");
  });

  it("names ten images without a score, and counts those beyond them", () => {
    const failed = Array.from({ length: 12 }, (_, i) => ({ file: `/${i}`, error: `/${i}: broken` }));
    const listOf = (count: number) =>
      /left out: (\d+)\.<\/p>\s*<ul>\s*([^]*?)\s*<\/ul>/.exec(gmadPage({ ...data, failed: failed.slice(0, count) })) ??
      [];
    const ten = failed.slice(0, 10).map(({ error }) => `<li>${error}</li>`).join(""); // prettier-ignore
    expect(listOf(10).slice(1)).toEqual(["10", ten]);
    expect(listOf(12).slice(1)).toEqual(["12", `${ten}<li>and 2 more</li>`]);
  });

  it("says of a level with one image that it is alone, and of one without any that it is empty", () => {
    const page = gmadPage({ ...data, defences: groupDifferentiation(images, 9) });
    expect(page).toContain("<p>No pair: one image alone is in this level.</p>");
    expect(page).toContain("<p>No pair: no image is in this level.</p>");
  });
});

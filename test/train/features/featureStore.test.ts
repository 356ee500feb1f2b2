import { createHash } from "node:crypto";
import { readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { beforeAll, describe, expect, it, vi } from "vitest";
import { DataError, StalledReadError } from "../../../src/base/errors.js";
import * as tf from "../../../src/engine/tf.js";
import { gridOf } from "../../../src/model/config.js";
import { LiqeModel } from "../../../src/model/liqe.js";
import { initialParameters } from "../../../src/model/parameters/initialize.js";
import { evaluationCrops } from "../../../src/model/preprocess/crops.js";
import { loadImage } from "../../../src/data/images/loadImage.js";
import { PACKED_LOOK } from "../../../src/data/images/look.js";
import type { Sample } from "../../../src/data/sample.js";
import { featureFile, readFeatures, writeFeatures } from "../../../src/train/features/featureFiles.js";
import { FeatureStore, fillFromFeatures } from "../../../src/train/features/featureStore.js";
import { meanFeature, predictFromFeatures } from "../../../src/train/features/predictFromFeatures.js";
import { featureRequests, openFeatures } from "../../../src/train/features/runFeatures.js";
import type { RunPlan } from "../../../src/train/plan.js";
import { temporaryFolder, TOY_ARCHITECTURE, toyDatabase, toyPlan } from "../../support/runs.js";
import { startTestEngine } from "../../support/testEngine.js";

await startTestEngine();

const CROPS = 2;
let plan: RunPlan;
beforeAll(async () => {
  plan = await toyPlan(await toyDatabase(), temporaryFolder(), { tune: "probe" });
});

/** Store of the toy's features, by weights of a seed. */
function storeIn(
  folder: string | null,
  { seed = 5, note = () => undefined }: { seed?: number; note?: () => void } = {},
) {
  const weights = initialParameters(TOY_ARCHITECTURE, seed);
  const model = new LiqeModel(weights, gridOf(plan.config.prompts));
  const data = { ...plan.config.data, small: "resize" as const };
  const store = new FeatureStore(model, weights, { folder, data, engine: plan.engine, note });
  const close = async () => {
    await store.close();
    model.dispose();
  };
  return { store, model, close };
}

const fileOf = (i: number) => plan.databases[0]?.train[i]?.file ?? "";

describe("FeatureStore", () => {
  it("gives what the model makes of the evaluation windows, and leaves no tensor", async () => {
    const before = tf.memory().numTensors;
    const { store, model, close } = storeIn(temporaryFolder());
    const { values, crops } = await store.of({ file: fileOf(0), crops: CROPS });
    expect(crops).toBe(CROPS);
    const features = model.imageFeatures(evaluationCrops(await loadImage(fileOf(0)), CROPS));
    expect([...values]).toEqual([...features.dataSync()]);
    features.dispose();
    await close();
    expect(tf.memory().numTensors).toBe(before);
  });

  it("encodes an image once, in this process and the next", async () => {
    const folder = temporaryFolder();
    const first = storeIn(folder);
    const found = await first.store.of({ file: fileOf(0), crops: CROPS });
    await first.store.of({ file: fileOf(0), crops: CROPS });
    expect(first.store.encoded.images).toBe(1);
    await first.close();
    const second = storeIn(folder);
    expect(await second.store.of({ file: fileOf(0), crops: CROPS })).toEqual(found);
    expect(second.store.encoded.images).toBe(0);
    expect(second.store.looks.get(fileOf(0))).toBe(found.look);
    await second.close();
    expect(readdirSync(folder)).toHaveLength(1);
  });

  it("counts the time in which images are read or encoded, that of several at once a single time", async () => {
    let jumpMs = 0;
    const now = performance.now.bind(performance);
    const clock = vi.spyOn(performance, "now").mockImplementation(() => now() + jumpMs);
    const damaged = fileURLToPath(new URL("../../fixtures/images/damaged-scan.jpg", import.meta.url));
    const { store, close } = storeIn(temporaryFolder(), { note: () => (jumpMs += 1e9) }); // told while it is read
    await Promise.all([damaged, fileOf(0), fileOf(1)].map((file) => store.of({ file, crops: CROPS })));
    clock.mockRestore();
    expect(store.encoded.images).toBe(3);
    expect(Math.round(store.encoded.seconds / 1e6)).toBe(1);
    await close();
  });

  it("answers what was asked for before it is closed", async () => {
    const { store, close } = storeIn(temporaryFolder());
    const asked = [0, 1, 2].map((i) => store.of({ file: fileOf(i), crops: CROPS }));
    const answered = Promise.all(asked.map((one) => one.then(({ crops }) => crops)));
    await close();
    expect(await answered).toEqual([CROPS, CROPS, CROPS]);
  });

  it("computes damaged entries anew: cut short, a flipped bit, none of ours", async () => {
    const folder = temporaryFolder();
    const { store, close } = storeIn(folder);
    const found = await store.of({ file: fileOf(1), crops: CROPS });
    const [entry = ""] = readdirSync(folder);
    const whole = readFileSync(join(folder, entry));
    const flipped = Buffer.from(whole);
    flipped[flipped.length - 2] = (flipped.at(-2) ?? 0) ^ 1;
    const counts: number[] = [];
    for (const bytes of [whole.subarray(0, -4), flipped, Buffer.from("features"), whole]) {
      writeFileSync(join(folder, entry), bytes);
      expect(await store.of({ file: fileOf(1), crops: CROPS })).toEqual(found);
      counts.push(store.encoded.images);
    }
    expect(counts).toEqual([2, 3, 4, 4]);
    expect(readFileSync(join(folder, entry))).toEqual(whole);
    await close();
  });

  it("takes no entry of other weights, of other windows, or of a file that was changed since", async () => {
    const folder = temporaryFolder();
    const [file, other] = [join(temporaryFolder(), "photo.png"), readFileSync(fileOf(3))];
    writeFileSync(file, readFileSync(fileOf(2)));
    const ask = async (seed: number, crops: number) => {
      const { store, close } = storeIn(folder, { seed });
      const { values } = await store.of({ file, crops });
      await close();
      return { values: [...values], images: store.encoded.images };
    };
    const first = await ask(5, CROPS);
    expect(await ask(6, CROPS)).not.toEqual(first);
    expect((await ask(5, 1)).images).toBe(1);
    writeFileSync(file, other);
    const changed = await ask(5, CROPS);
    expect(changed.images).toBe(1);
    expect(changed.values).not.toEqual(first.values);
    expect(await ask(5, CROPS)).toEqual({ values: changed.values, images: 0 });
  });

  it("fills itself with what it is asked for, and refuses an unreadable image unless it may be left out", async () => {
    const { store, close } = storeIn(temporaryFolder());
    const broken = join(temporaryFolder(), "broken.png");
    writeFileSync(broken, "no picture");
    const ports = { report: () => undefined, signal: { aborted: false } };
    const ask = (file: string, mayFail: boolean) => store.fill([{ file, crops: CROPS, mayFail }], ports);
    await ask(fileOf(0), false);
    await ask(broken, true);
    expect(store.encoded.images).toBe(1);
    await expect(ask(broken, false)).rejects.toThrow(DataError);
    await close();
  });
});

describe("fillFromFeatures", () => {
  it("takes different windows of an image as long as it has enough, by epoch and step alone", async () => {
    const { store, close } = storeIn(null);
    const samples = plan.databases[0]?.train.slice(0, 2) ?? [];
    const width = TOY_ARCHITECTURE.embedding;
    const rowsOf = async (cropsPerImage: number, step: number) => {
      const fill = fillFromFeatures(store, { seed: 3, cropsPerImage, crops: CROPS });
      const { features } = await fill([{ samples }], { epoch: 0, step });
      return Array.from({ length: features.length / width }, (_, i) =>
        features.slice(i * width, (i + 1) * width).join(),
      );
    };
    const rows = await rowsOf(2, 0);
    expect(new Set(rows).size).toBe(4);
    expect(await rowsOf(2, 0)).toEqual(rows);
    const more = await rowsOf(3, 0); // two windows there are
    expect(more).toHaveLength(6);
    expect(new Set(more).size).toBe(4);
    const steps = await Promise.all([0, 1, 2, 3, 4, 5, 6, 7].map((step) => rowsOf(1, step)));
    expect(new Set(steps.map((drawn) => drawn[0])).size).toBe(2);
    await close();
  });
});

describe("a store that is filled", () => {
  it("says how far it is, and stops where it is asked to, with what it has", async () => {
    const { store, close } = storeIn(null);
    const reports: unknown[] = [];
    const requests = [0, 1].map((i) => ({ file: fileOf(i), crops: 1, mayFail: false }));
    const report = (progress: unknown) => reports.push(progress);
    expect(await store.fill(requests, { report, signal: { aborted: false } })).toBe(true);
    expect(reports).toEqual([1, 2].map((done) => ({ label: "image features", done, total: 2, unit: "images" })));
    expect(await store.fill(requests, { report, signal: { aborted: true } })).toBe(false);
    expect([reports.length, store.encoded.images]).toEqual([2, 2]);
    await store.of({ file: fileOf(0), crops: 1 });
    expect(store.encoded.images).toBe(2); // kept in memory
    await close();
  });
});

describe("the features of a run", () => {
  it("are of its training and validation images, as many windows as either takes, in the run's own folder", () => {
    const evaluate = { ...plan.config.evaluate, crops: 3, validationCrops: 2 };
    const requests = featureRequests({ ...plan, config: { ...plan.config, evaluate } });
    expect(requests).toHaveLength(18);
    expect(requests[0]).toEqual({ file: fileOf(0), crops: 3, mayFail: false });
    expect(requests.slice(12).map(({ crops, mayFail }) => [crops, mayFail])).toEqual(Array(6).fill([2, true]));
  });

  it("are none of a run that trains its encoder", async () => {
    const weights = initialParameters(TOY_ARCHITECTURE, 5);
    const model = new LiqeModel(weights, gridOf(plan.config.prompts));
    const own = { weights, isKept: true };
    const all = { ...plan, config: { ...plan.config, train: { ...plan.config.train, tune: "all" as const } } };
    expect(openFeatures(model, all, own)).toBeNull();
    const run = temporaryFolder();
    const split = { ...plan, folder: join(run, "split-3") };
    for (const isKept of [true, false]) {
      const store = openFeatures(model, split, { weights, isKept });
      await store?.of({ file: fileOf(0), crops: 1 });
      await store?.close();
      expect(readdirSync(run)).toEqual(isKept ? ["features"] : []);
      rmSync(join(run, "features"), { recursive: true, force: true });
    }
    model.dispose();
  });
});

describe("an entry of features", () => {
  const features = { values: Float32Array.of(1, 2, 3, 4, 5, 6), crops: 2, look: "A".repeat(PACKED_LOOK) };

  it("is magic, number of windows, sum, look and values, under a name by its key", async () => {
    const folder = join(temporaryFolder(), "deep", "features");
    const file = featureFile(folder, "key");
    const name = createHash("sha256").update("1 key").digest("hex").slice(0, 40);
    expect(file).toBe(join(folder, `${name}.features`));
    await writeFeatures(file, features);
    expect(readdirSync(folder)).toEqual([`${name}.features`]);
    const bytes = readFileSync(file);
    const contents = Buffer.concat([Buffer.from(features.look), Buffer.from(features.values.buffer)]);
    expect(bytes.toString("latin1", 0, 8)).toBe("LIQEFEA1");
    expect(bytes.readUInt32LE(8)).toBe(2);
    expect(bytes.subarray(12, 44)).toEqual(createHash("sha256").update(contents).digest());
    expect(bytes.subarray(44)).toEqual(contents);
    expect(await readFeatures(file, 3)).toEqual(features);
  });

  it("is none of another width, none that is not there, and no folder", async () => {
    const folder = temporaryFolder();
    const file = featureFile(folder, "key");
    await writeFeatures(file, features);
    expect([await readFeatures(file, 2), await readFeatures(file, 6)]).toEqual([null, null]);
    expect(await readFeatures(featureFile(folder, "other"), 3)).toBeNull();
    await expect(readFeatures(folder, 3)).rejects.toThrow("EISDIR");
    writeFileSync(file, readFileSync(file).subarray(0, 43));
    expect(await readFeatures(file, 3)).toBeNull();
  });
});

describe("predictFromFeatures", () => {
  const { embedding } = TOY_ARCHITECTURE;
  const labels = { scenes: [], distortions: [] };

  /** Scores of images named by number: those of a hundred cannot be read. */
  async function predicted(
    count: number,
    error: Error = new DataError("is broken"),
    signal = new AbortController().signal,
  ) {
    const model = new LiqeModel(initialParameters(TOY_ARCHITECTURE, 5), gridOf(plan.config.prompts));
    const of = ({ file }: { file: string }) =>
      Number(file) % 100 === 99
        ? Promise.reject(error)
        : Promise.resolve({ values: new Float32Array(embedding).fill(Number(file) + 1), crops: 1, look: "" });
    const store = { of } as unknown as FeatureStore; // all that is asked of it
    const samples = Array.from({ length: count }, (_, i) => {
      return { database: "mine", image: `${i}.png`, file: `${i}`, scenes: [], distortion: null } as unknown as Sample; // likewise
    });
    const reports: unknown[] = [];
    const report = (progress: unknown) => reports.push(progress);
    try {
      return {
        ...(await predictFromFeatures(samples, { model, store }, { labels, crops: 1, signal, report })),
        reports,
      };
    } finally {
      model.dispose();
    }
  }

  it("scores all images in their order, a part after the other, and names those that cannot be read", async () => {
    const { predictions, failed, reports } = await predicted(300);
    const names = Array.from({ length: 300 }, (_, i) => `${i}.png`).filter((_, i) => i % 100 !== 99);
    expect(predictions.map(({ image }) => image)).toEqual(names);
    const broken = ["99.png", "199.png", "299.png"];
    expect(failed).toEqual(broken.map((image) => ({ database: "mine", image, error: "is broken" })));
    const whole = { label: "scoring", total: 300, unit: "images" };
    expect(reports).toEqual([{ ...whole, done: 256 }, { ...whole, done: 300 }]); // prettier-ignore
  });

  it("passes on that an image does not come, any other fault, and the request to stop", async () => {
    await expect(predicted(100, new StalledReadError("stalled", []))).rejects.toThrow("stalled");
    await expect(predicted(100, new Error("no memory"))).rejects.toThrow("no memory");
    await expect(predicted(1, undefined, AbortSignal.abort(new Error("stop")))).rejects.toThrow("stop");
    expect((await predicted(0)).predictions).toEqual([]);
  });
});

describe("meanFeature", () => {
  it("is the mean of the windows, number by number", () => {
    expect([...meanFeature({ values: Float32Array.of(1, 2, 3, 6), crops: 2 })]).toEqual([2, 4]);
    expect([...meanFeature({ values: Float32Array.of(1, 2), crops: 1 })]).toEqual([1, 2]);
  });
});

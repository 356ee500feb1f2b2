import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { beforeAll, describe, expect, it, vi } from "vitest";
import { DataError } from "../../../src/base/errors.js";
import * as tf from "../../../src/engine/tf.js";
import { gridOf } from "../../../src/model/config.js";
import { LiqeModel } from "../../../src/model/liqe.js";
import { initialParameters } from "../../../src/model/parameters/initialize.js";
import { evaluationCrops } from "../../../src/model/preprocess/crops.js";
import { loadImage } from "../../../src/data/images/loadImage.js";
import { FeatureStore, fillFromFeatures } from "../../../src/train/features/featureStore.js";
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

import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { describe, expect, it } from "vitest";
import { PACKAGE_ROOT } from "../../src/base/packageInfo.js";

interface Step {
  readonly crops: number;
  readonly cropSeconds: number;
  readonly ownSeconds: number;
  readonly bytes: number;
  readonly messages: number;
}
interface Cluster {
  readonly ranks: number;
  readonly linkBytes: number;
  readonly turnSeconds: number;
}
interface ScoringSpeed {
  readonly deviceImages: number;
  readonly decodeImages: number;
  readonly imageBytes: number;
}

/** Functions of bench/scaleModel.mjs, which has no types of its own. */
interface ScaleModel {
  stepTime(step: Step, cluster: Cluster): Record<"encode" | "own" | "exchange" | "seconds", number>;
  processorSeconds(step: Step & { readonly secondsPerByte: number }, ranks: number): number;
  scoringRate(one: ScoringSpeed, fleet: { devices: number; storageBytes: number }): { images: number; bound: string };
  splitStep(...steps: readonly { crops: number; seconds: number }[]): Record<"cropSeconds" | "ownSeconds", number>;
  saturation(rows: readonly { ranks: number; rate: number }[], worthwhile: number): number | null;
}

const model = (await import(pathToFileURL(join(PACKAGE_ROOT, "bench", "scaleModel.mjs")).href)) as ScaleModel;

const step: Step = { crops: 12, cropSeconds: 0.1, ownSeconds: 0.3, bytes: 1000, messages: 5 };
const cluster = (ranks: number): Cluster => ({ ranks, linkBytes: 2000, turnSeconds: 0.01 });

describe("bench/scaleModel.mjs", () => {
  it("gives one rank the whole step and no exchange", () => {
    const { encode, exchange, seconds } = model.stepTime(step, cluster(1));
    expect([encode, exchange, seconds]).toEqual([expect.closeTo(1.2, 12), 0, expect.closeTo(1.5, 12)]);
  });

  it("shares the crops alone: prompts and update stay, and the ring passes 2 (n - 1) / n of the bytes in 2 (n - 1) turns", () => {
    const four = model.stepTime(step, cluster(4));
    expect(four.encode).toBeCloseTo(0.3, 12);
    expect(four.own).toBe(0.3);
    expect(four.exchange).toBeCloseTo((1.5 * 1000) / 2000 + 6 * 5 * 0.01, 12);
    expect(four.seconds).toBeCloseTo(0.3 + 0.3 + 1.05, 12);
  });

  it("waits for the rank with the largest share", () => {
    expect(model.stepTime(step, cluster(5)).encode).toBeCloseTo(0.3, 12); // 3, 3, 2, 2, 2
  });

  it("never gets below what each rank does by itself and twice the bytes, however many ranks", () => {
    const seconds = model.stepTime({ ...step, crops: 1024 }, { ...cluster(1024), turnSeconds: 0 }).seconds;
    expect(seconds).toBeCloseTo(0.1 + 0.3 + ((2 * 1023) / 1024) * 0.5, 12);
  });

  it("counts processors: crops once, the rest by every rank, bytes by every turn of the ring", () => {
    expect(model.processorSeconds({ ...step, secondsPerByte: 1e-4 }, 1)).toBeCloseTo(1.5, 12);
    expect(model.processorSeconds({ ...step, secondsPerByte: 1e-4 }, 3)).toBeCloseTo(1.2 + 0.9 + 0.4, 12);
  });

  it("scores as fast as the slowest of devices, decoding and storage, and names it", () => {
    const one = { deviceImages: 100, decodeImages: 80, imageBytes: 50 };
    expect(model.scoringRate(one, { devices: 2, storageBytes: 1e6 })).toEqual({ images: 160, bound: "decoding" });
    expect(model.scoringRate({ ...one, decodeImages: 200 }, { devices: 2, storageBytes: 1e6 }).bound).toBe("device");
    const many = model.scoringRate(one, { devices: 256, storageBytes: 1e6 });
    expect(many).toEqual({ images: 20_000, bound: "storage" });
  });

  it("finds the parts of a step again from two sizes of it, and refuses steps that were disturbed", () => {
    const of = (crops: number) => ({ crops, seconds: 0.3 + 0.1 * crops });
    const { cropSeconds, ownSeconds } = model.splitStep(of(8), of(24));
    expect([cropSeconds, ownSeconds]).toEqual([expect.closeTo(0.1, 12), expect.closeTo(0.3, 12)]);
    expect(() => model.splitStep({ crops: 8, seconds: 0.6 }, { crops: 24, seconds: 2.4 })).toThrow("measure again");
  });

  it("saturates where doubling is not worth its while any more, for good", () => {
    const rows = (...rates: readonly number[]) => rates.map((rate, i) => ({ ranks: 2 ** i, rate }));
    expect(model.saturation(rows(10, 8, 15, 29, 31), 1.2)).toBe(8);
    expect(model.saturation(rows(10, 8, 7), 1.2)).toBe(1);
    expect(model.saturation(rows(10, 19, 37), 1.2)).toBeNull();
  });
});

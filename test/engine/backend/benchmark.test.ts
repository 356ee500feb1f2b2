import { expect, it } from "vitest";
import { peakFlopsPerSecond } from "../../../src/engine/backend/benchmark.js";
import * as tf from "../../../src/engine/tf.js";
import { describeOnEachEngine } from "../../support/eachEngine.js";

/** Far below and far above what multiplies matrices: a unit that slipped by a thousand would fall outside. */
const SLOWEST = 2e8;
const FASTEST = 2e15;

describeOnEachEngine("peakFlopsPerSecond", () => {
  it("is operations a second, and leaves no tensor behind", () => {
    const before = tf.memory().numTensors;
    const peak = peakFlopsPerSecond();
    expect(peak).toBeGreaterThan(SLOWEST);
    expect(peak).toBeLessThan(FASTEST);
    expect(tf.memory().numTensors).toBe(before);
  });
});

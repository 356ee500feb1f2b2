import { PassThrough } from "node:stream";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { formatFlops } from "../../src/api/train/dryRun.js";
import { formatBytes, formatDuration } from "../../src/base/text.js";
import { createProgress, type ProgressStream } from "../../src/cli/progress.js";

const STEP = {
  epoch: 2,
  epochs: 8,
  stepsPerEpoch: 100,
  loss: 1.23456,
  learningRate: 0.001,
  imagesPerSecond: 31.25,
  secondsLeft: 150,
};

/** A stream that remembers; `isTTY` as asked. */
function memoryStream(isTTY: boolean, columns?: number): { stream: ProgressStream; text: () => string } {
  const chunks: string[] = [];
  const stream = new PassThrough();
  stream.on("data", (chunk: Buffer) => chunks.push(chunk.toString()));
  return {
    stream: Object.assign(stream, { isTTY, ...(columns === undefined ? {} : { columns }) }),
    text: () => chunks.join(""),
  };
}

describe("createProgress in a log", () => {
  beforeEach(() => {
    vi.useFakeTimers({ toFake: ["Date"] });
  });
  afterEach(() => {
    vi.useRealTimers();
  });

  it("writes a line of training at most every 15 seconds", () => {
    const { stream, text } = memoryStream(false);
    const progress = createProgress(stream);
    for (let step = 1; step <= 40; step++) {
      progress.training({ ...STEP, step });
      vi.setSystemTime(Date.now() + 1000);
    }
    expect(text()).toBe(
      [16, 31]
        .map((step) => `epoch 2 of 8  step ${step}/100  loss 1.2346  rate 1.0e-3  31.3 images/s  2 min 30 s left\n`)
        .join(""),
    );
  });

  it("says nothing of a job that is done within that time", () => {
    const { stream, text } = memoryStream(false);
    const progress = createProgress(stream);
    for (const done of [1, 2, 3]) progress.progress({ label: "decode", done, total: 3, unit: "images" });
    progress.note("3 images");
    progress.stop();
    expect(text()).toBe("3 images\n");
  });
});

describe("createProgress on a terminal", () => {
  const noColor = process.env["NO_COLOR"];
  afterEach(() => {
    process.env["NO_COLOR"] = noColor;
  });

  it("draws a bar, and gives the cursor back when it stops", () => {
    process.env["NO_COLOR"] = "";
    const { stream, text } = memoryStream(true);
    const progress = createProgress(stream);
    progress.progress({ label: "download", done: 1e6, total: 3e6, unit: "bytes" });
    progress.stop();
    expect(text()).toContain("33%  1.0 MB of 3.0 MB");
    expect(text()).toContain("\u001b[?25h"); // cursor shown again
  });

  it.each([
    [120, ["step 7/100", "loss 1.2346", "rate 1.0e-3", "31.3 images/s", "2 min 30 s left"]],
    [80, ["step 7/100", "loss 1.2346", "2 min 30 s left"]],
    [40, []],
  ])("shows of a step what fits %i columns, the time left before all else", (columns, told) => {
    process.env["NO_COLOR"] = "";
    const { stream, text } = memoryStream(true, columns);
    const progress = createProgress(stream);
    progress.training({ ...STEP, step: 7 });
    const line =
      text()
        .split("\u001b")
        .find((part) => part.includes("epoch")) ?? "";
    progress.stop();
    const [bar = "", details] = line.slice(line.indexOf("epoch")).split("%  ");
    expect(bar).toMatch(/^epoch 2 of 8 [█░]+ 7$/);
    expect(details).toBe(told.join("  "));
    expect(`${bar}%  ${details}`.length).toBeLessThanOrEqual(columns);
  });

  it("draws none with NO_COLOR", () => {
    process.env["NO_COLOR"] = "1";
    const { stream, text } = memoryStream(true);
    createProgress(stream).progress({ label: "download", done: 1e6, total: 3e6, unit: "bytes" });
    expect(text()).toBe("");
  });
});

describe("format", () => {
  it("writes times with their two largest units, and decimal megabytes", () => {
    expect([42.4, 59.6, 150, 5400, 200_000, -1].map(formatDuration)).toEqual([
      "42 s",
      "1 min 0 s",
      "2 min 30 s",
      "1 h 30 min",
      "2 d 7 h",
      "0 s",
    ]);
    expect([1_234_567, 2.04e9].map(formatBytes)).toEqual(["1.2 MB", "2.0 GB"]);
  });

  it("writes operations with three digits and the prefix that suits them", () => {
    expect([1.954e12, 8.82e9, 999.9e9, 1e6].map(formatFlops)).toEqual([
      "1.95 TFLOP",
      "8.82 GFLOP",
      "1000 GFLOP",
      "1.00 MFLOP",
    ]);
  });
});

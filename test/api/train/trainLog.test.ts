import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { logged } from "../../../src/api/train/trainLog.js";
import type { WorkEvent } from "../../../src/api/work.js";
import { temporaryFolder } from "../../support/runs.js";

const TIME = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ {2}/;

/** Lines of the log, without their times. */
const linesOf = (folder: string) =>
  readFileSync(join(folder, "train.log"), "utf8")
    .trimEnd()
    .split("\n")
    .map((line) => {
      expect(line).toMatch(TIME);
      return line.replace(TIME, "");
    });

const step = (number: number): WorkEvent => ({
  ...{ kind: "step", epoch: 2, epochs: 5, step: number, stepsPerEpoch: 60, loss: 3.25, learningRate: 4e-4 },
  ...{ imagesPerSecond: 19.84, secondsLeft: 150 },
});

describe("train.log", () => {
  it("has each note, each epoch's last step and steps now and then, and hands everything on", async () => {
    const folder = join(temporaryFolder(), "split-1");
    const seen: WorkEvent[] = [];
    const events: WorkEvent[] = [
      { kind: "note", line: "training here\nin two lines" },
      { kind: "phase", phase: "training" },
      ...[1, 2, 3, 60].map(step),
      { kind: "progress", label: "images", done: 1, total: 2, unit: "images" },
      { kind: "note", line: "validation: mean SRCC 0.639" },
    ];
    const listener = await logged(folder, { next: (event) => seen.push(event) });
    events.forEach(listener);
    expect(seen).toEqual(events);
    const line = (number: number) =>
      `epoch 2 of 5  step ${number}/60  loss 3.2500  rate 4.0e-4  19.8 images/s  2 min 30 s left`;
    expect(linesOf(folder)).toEqual([
      ...["training here", "in two lines", line(1), line(60), "validation: mean SRCC 0.639"],
    ]);
  });

  it("goes on in the same file where the run is taken up again, with nobody listening", async () => {
    const folder = temporaryFolder();
    (await logged(folder, { next: undefined, before: ["computing", "0 errors"] }))({ kind: "note", line: "training" });
    (await logged(folder, { next: undefined }))({ kind: "note", line: "going on with it" });
    expect(linesOf(folder)).toEqual(["computing", "0 errors", "training", "going on with it"]);
  });
});

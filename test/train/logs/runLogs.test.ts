import { appendFileSync, readdirSync, readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { crc32c } from "../../../src/base/checksums.js";
import { SILENT, type TrainingReport } from "../../../src/base/types.js";
import { MlflowConfig } from "../../../src/train/logs/config.js";
import { metricsJson, type MetricsLine, MetricsLog, type StepMetrics } from "../../../src/train/logs/metricsLog.js";
import { diagnose, NO_LOGS, RunLogs } from "../../../src/train/logs/runLogs.js";
import { EventFile } from "../../../src/train/logs/tensorboard.js";
import type { RunPlan } from "../../../src/train/plan.js";
import { NonFiniteStepError } from "../../../src/train/step.js";
import { RUN_START } from "../../../src/train/progress.js";
import { temporaryFolder, toyDatabase, toyPlan } from "../../support/runs.js";

const epochLine = (epoch: number) => ({
  kind: "epoch" as const,
  epoch,
  step: epoch,
  loss: 1,
  losses: {},
  weights: {},
  learningRate: 1,
  validation: null,
  time: { seconds: 1 },
  memory: { residentMB: 1, tensors: 1 },
});

describe("crc32c", () => {
  it("gives the check value of RFC 3720's polynomial", () => {
    expect(crc32c(new TextEncoder().encode("123456789"))).toBe(0xe3069283);
    expect(crc32c(new Uint8Array(32))).toBe(0x8a9136aa); // RFC 3720, B.4: 32 bytes of zeros
  });
});

describe("MetricsLog", () => {
  it("drops what stands behind the given bytes, and goes on there", async () => {
    const file = join(temporaryFolder(), "metrics.jsonl");
    const { log } = await MetricsLog.open(file, 0);
    await log.write(epochLine(0));
    const { bytes } = log;
    await log.write(epochLine(1));
    await log.close();
    appendFileSync(file, '{"half');
    const { log: resumed } = await MetricsLog.open(file, bytes);
    await resumed.write(epochLine(2));
    await resumed.close();
    const epochs = readFileSync(file, "utf8").trimEnd().split("\n");
    expect(epochs.map((line) => (JSON.parse(line) as { epoch: number }).epoch)).toEqual([0, 2]);
    expect(resumed.bytes).toBe(statSync(file).size);
  });
});

describe("MetricsLog", () => {
  it("does not fill up with zeros what someone cut off, and says how much it was", async () => {
    const file = join(temporaryFolder(), "metrics.jsonl");
    const { log } = await MetricsLog.open(file, 0);
    await log.write(epochLine(0));
    await log.close();
    const { log: resumed, missing } = await MetricsLog.open(file, log.bytes + 100);
    expect([missing, resumed.bytes, statSync(file).size]).toEqual([100, log.bytes, log.bytes]);
    await resumed.close();
  });

  it("writes a number that is not finite as a text that says which", () => {
    expect(metricsJson({ loss: NaN, norm: -Infinity, rate: 0.5 })).toBe('{"loss":"NaN","norm":"-Infinity","rate":0.5}');
  });
});

/** The records of an event file, their lengths and checksums checked. */
function records(folder: string): Buffer[] {
  const [name = ""] = readdirSync(folder);
  const file = readFileSync(join(folder, name));
  const found: Buffer[] = [];
  for (let at = 0; at < file.length;) {
    const length = Number(file.readBigUInt64LE(at));
    const data = file.subarray(at + 12, at + 12 + length);
    const unmask = (masked: number) => {
      const rotated = (masked - 0xa282ead8) >>> 0;
      return ((rotated << 15) | (rotated >>> 17)) >>> 0;
    };
    expect(unmask(file.readUInt32LE(at + 8))).toBe(crc32c(file.subarray(at, at + 8)));
    expect(unmask(file.readUInt32LE(at + 12 + length))).toBe(crc32c(data));
    found.push(data);
    at += 16 + length;
  }
  return found;
}

describe("EventFile", () => {
  it("writes a version, then each step's scalars, in whole records", async () => {
    const folder = temporaryFolder();
    const events = await EventFile.open(folder, 0, 1000.5);
    await events.scalars(300, 1001, { "train/loss": 1.5 });
    const [version, step] = records(folder);
    expect(version?.toString("latin1")).toContain("brain.Event:2");
    // wall_time 1001 (double, field 1), step 300 (varint, field 2), summary (field 5) of one value: tag and float
    const tag = Buffer.from("train/loss");
    const value = Buffer.concat([Buffer.from([0x0a, tag.length]), tag, Buffer.from([0x15, 0, 0, 0xc0, 0x3f])]);
    const expected = Buffer.concat([
      Buffer.from([0x09]),
      Buffer.from(Float64Array.of(1001).buffer),
      Buffer.from([0x10, 0xac, 0x02, 0x2a, value.length + 2, 0x0a, value.length]),
      value,
    ]);
    expect(step?.equals(expected)).toBe(true);
  });

  it("goes on in the same file, without what stands behind the given bytes", async () => {
    const folder = temporaryFolder();
    const events = await EventFile.open(folder, 0, 1000);
    await events.scalars(1, 1001, { loss: 1 });
    const { bytes } = events;
    await events.scalars(2, 1002, { loss: 2 });
    const resumed = await EventFile.open(folder, bytes, 2000);
    await resumed.scalars(2, 2001, { loss: 3 });
    expect(readdirSync(folder)).toHaveLength(1);
    expect(records(folder)).toHaveLength(3);
  });
});

describe("RunLogs", () => {
  it("records a step's speed in operations and as a share of the machine's peak, as a line and as scalars", async () => {
    const plan = await toyPlan(await toyDatabase(), temporaryFolder(), {});
    const logs = await RunLogs.open({ ...plan, peakFlopsPerSecond: 4e9 }, { metrics: 0, events: 0 });
    const result = { loss: 1.5, losses: { quality: 1.25 }, weights: { quality: 1 }, gradients: null, gradientNorm: 3 };
    const measured = { images: 8, seconds: 2, dataSeconds: 0.5, unreadable: 0, flops: 6e9 };
    const position = { epoch: 1, step: 2 };
    await logs.step({ position, weights: { quality: 0.75 }, learningRate: 0.1, result, ...measured });
    await logs.close();
    const line = JSON.parse(readFileSync(join(plan.folder, "metrics.jsonl"), "utf8")) as StepMetrics; // the one line
    expect(line.time).toEqual({
      seconds: 2,
      dataSeconds: 0.5,
      imagesPerSecond: 4,
      flopsPerSecond: 3e9,
      peakShare: 0.75,
    });
    expect(line.memory).toEqual({ residentMB: expect.any(Number) as number, tensors: expect.any(Number) as number });
    const [, scalars] = records(join(plan.folder, "tensorboard"));
    const valueOf = (tag: string) => scalars?.readFloatLE(scalars.indexOf(`${tag}\x15`) + tag.length + 1); // the tag, the value's key, a float
    expect(valueOf("time/flops_per_second")).toBe(3e9);
    expect(valueOf("time/peak_share")).toBe(0.75);
    expect(valueOf("time/data_seconds")).toBe(0.5);
    expect(valueOf("memory/tensors")).toBe(line.memory.tensors);
    const tags = ["loss", "loss_quality", "weight_quality", "gradient_norm"].map((name) => `train/${name}`);
    expect(tags.map((tag) => [tag, valueOf(tag)])).toEqual([
      ["train/loss", 1.5],
      ["train/loss_quality", 1.25],
      ["train/weight_quality", 0.75],
      ["train/gradient_norm", 3],
    ]);
    expect([valueOf("train/learning_rate")]).toBeAllClose([0.1]);
    expect(line).toMatchObject({ loss: 1.5, losses: { quality: 1.25 }, gradientNorm: 3, learningRate: 0.1 });
  });
});

describe("what RunLogs writes of an epoch", () => {
  /** Logs of two epochs of three steps on a clock of the test's, with all that they report. */
  async function opened({
    bytes = { metrics: 0, events: 0 },
    folder = temporaryFolder(),
    logging = ["tensorboard"],
  } = {}) {
    const notes: string[] = [];
    const reports: TrainingReport[] = [];
    const lines: MetricsLine[] = [];
    const clock = { ms: 5000 };
    const plan = {
      folder,
      split: 1,
      config: { train: { epochs: 2, stepsPerEpoch: 3 }, logging, mlflow: MlflowConfig.parse({}) },
      peakFlopsPerSecond: 8e9,
      reporter: {
        ...SILENT,
        note: (line: string) => notes.push(line),
        training: (one: TrainingReport) => reports.push(one),
      },
      onMetrics: (line: MetricsLine) => lines.push(line),
      now: () => clock.ms,
    } as unknown as RunPlan; // all that is read
    return { logs: await RunLogs.open(plan, bytes), folder, clock, notes, reports, lines };
  }

  const weights = { quality: 1, scene: 0.5 };
  const result = { loss: 1.5, losses: { quality: 1, scene: 1 }, weights, gradients: null, gradientNorm: 3 };
  const record = (epoch: number, step: number, seconds: number) => ({
    ...{ position: { epoch, step }, weights, learningRate: 0.25, result },
    ...{ images: 8, seconds, dataSeconds: 0.5, unreadable: 1, flops: 4e9 },
  });
  const history = { epochMeans: [{ quality: 9 }, { quality: 1, scene: 3 }], sums: {}, steps: 0 };
  const progress = { ...RUN_START, history };

  /** Lines of metrics.jsonl without what depends on the process's memory. */
  const written = (folder: string) =>
    readFileSync(join(folder, "metrics.jsonl"), "utf8")
      .split("\n")
      .map((line) => line.replace(/"residentMB":\d+,"tensors":\d+/, ""));

  /** Step, seconds since 1970 and tags of each event, but for the first, which is of the version. */
  const eventsOf = (folder: string) =>
    records(join(folder, "tensorboard"))
      .slice(1)
      .map((event) => ({
        seconds: event.readDoubleLE(1),
        step: event[10],
        tags: event
          .toString("latin1")
          .split("\x15") // the key of a value, behind its tag
          .flatMap((piece) => /[a-z_]+\/[a-z_]+$/.exec(piece) ?? []),
      }));

  it("is a line and an event of each step, the run's speed as a moving average, and the time that is left", async () => {
    const { logs, folder, clock, reports, notes, lines } = await opened();
    await logs.step(record(0, 0, 2));
    clock.ms = 7250;
    await logs.step({ ...record(0, 1, 4), peersSeconds: 1.25 });
    expect(written(folder)).toEqual([
      '{"kind":"step","epoch":0,"step":0,"loss":1.5,"losses":{"quality":1,"scene":1},"weights":{"quality":1,"scene":0.5},' +
        '"learningRate":0.25,"gradientNorm":3,"unreadable":1,"time":{"seconds":2,"dataSeconds":0.5,"imagesPerSecond":4,' +
        '"flopsPerSecond":2000000000,"peakShare":0.25},"memory":{}}',
      '{"kind":"step","epoch":0,"step":1,"loss":1.5,"losses":{"quality":1,"scene":1},"weights":{"quality":1,"scene":0.5},' +
        '"learningRate":0.25,"gradientNorm":3,"unreadable":1,"time":{"seconds":4,"dataSeconds":0.5,"peersSeconds":1.25,' +
        '"imagesPerSecond":2,"flopsPerSecond":1000000000,"peakShare":0.125},"memory":{}}',
      "",
    ]);
    const tags = [
      ...["train/loss", "train/loss_quality", "train/loss_scene", "train/weight_quality", "train/weight_scene"],
      ...["train/learning_rate", "train/gradient_norm", "time/seconds", "time/data_seconds", "time/images_per_second"],
      ...["time/flops_per_second", "time/peak_share", "memory/resident_mb", "memory/tensors"],
    ];
    expect(eventsOf(folder)).toEqual([
      { seconds: 5, step: 0, tags },
      { seconds: 7.25, step: 1, tags },
    ]);
    const place = { epochs: 2, stepsPerEpoch: 3, loss: 1.5, learningRate: 0.25, epoch: 1 };
    const mean = 0.95 * 2 + (1 - 0.95) * 4; // seconds of a step
    expect(reports).toEqual([
      { ...place, step: 1, imagesPerSecond: 4, secondsLeft: 10 },
      { ...place, step: 2, imagesPerSecond: 8 / mean, secondsLeft: 4 * mean },
    ]);
    expect(lines.map(({ kind, step }) => [kind, step])).toEqual([["step", 0], ["step", 1]]); // prettier-ignore
    expect(notes).toEqual([]);
    await logs.close();
  });

  it("is a line of a skipped step and a note of it, and no event", async () => {
    const { logs, folder, notes, reports } = await opened();
    const spoilt = { ...result, loss: NaN, gradientNorm: Infinity };
    await logs.skipped({ ...record(1, 2, 2), result: spoilt });
    await logs.sync();
    const [line = ""] = written(folder);
    expect(line.slice(0, 50)).toBe('{"kind":"skipped","epoch":1,"step":5,"loss":"NaN",');
    expect(line).toContain('"gradientNorm":"Infinity"');
    expect(notes).toEqual(["epoch 2, step 3: skipped, loss NaN, gradient norm Infinity (train.maxSkippedSteps)"]);
    expect([eventsOf(folder), reports]).toEqual([[], []]);
    await logs.close();
  });

  it("is its mean losses, weighted, its validation, and the seconds since the one before", async () => {
    const { logs, folder, clock } = await opened();
    clock.ms = 9000;
    await logs.epoch(record(0, 2, 1), progress, { srcc: 0.75, average: 0.5 });
    clock.ms = 9500;
    await logs.epoch(record(1, 2, 1), { ...progress, finished: true }, null);
    const start = '"losses":{"quality":1,"scene":3},"weights":{"quality":1,"scene":0.5},"learningRate":0.25,';
    expect(written(folder)).toEqual([
      `{"kind":"epoch","epoch":0,"step":3,"loss":2.5,${start}"validation":{"srcc":0.75,"average":0.5},"time":{"seconds":4},"memory":{}}`,
      `{"kind":"epoch","epoch":1,"step":6,"loss":2.5,${start}"validation":null,"time":{"seconds":0.5},"memory":{}}`,
      "",
    ]);
    const losses = ["epoch/loss_quality", "epoch/loss_scene"];
    expect(eventsOf(folder)).toEqual([
      { seconds: 9, step: 3, tags: [...losses, "val/srcc", "val/average"] },
      { seconds: 9.5, step: 6, tags: losses },
    ]);
    await logs.epoch(record(1, 2, 1), progress, { srcc: null, average: null, pairs: 0.5 });
    expect(eventsOf(folder).at(-1)?.tags).toEqual([...losses, "val/pairs"]);
    await logs.close();
    expect(readFileSync(join(folder, "report.html"), "utf8")).not.toContain('http-equiv="refresh"');
  });

  it("goes on behind the given bytes of both files, and notes those that are gone", async () => {
    const first = await opened();
    await first.logs.step(record(0, 0, 1));
    const { bytes } = first.logs;
    await first.logs.step(record(0, 1, 1));
    await first.logs.close();
    const { folder } = first;
    const again = await opened({ folder, bytes });
    expect(again.logs.bytes).toEqual(bytes);
    expect([written(folder).length, eventsOf(folder).length, again.notes]).toEqual([2, 1, []]);
    await again.logs.close();
    const cut = await opened({ folder, bytes: { ...bytes, metrics: bytes.metrics + 7 } });
    expect(cut.notes).toEqual([`${join(folder, "metrics.jsonl")}: its last 7 bytes are gone; going on without them`]);
    await cut.logs.close();
    const without = await opened({ folder, bytes, logging: [] });
    expect(without.logs.bytes).toEqual(bytes); // as they were
    await without.logs.sync();
    await without.logs.close();
  });

  it("is the file of a diagnosis, in lines", async () => {
    const { logs, folder } = await opened();
    const place = { epoch: 1, step: 5, learningRate: 0.5, files: ["/a.png"] };
    const gradients = [
      { parameter: "a", norm: 1, nonFinite: 0, entries: 4 },
      { parameter: "b", norm: 2, nonFinite: 1, entries: 2 },
    ];
    const error = new NonFiniteStepError({ ...result, loss: Infinity }, gradients);
    expect(await logs.diagnosis(diagnose(error, place))).toBe(join(folder, "diagnosis.json"));
    const text = readFileSync(join(folder, "diagnosis.json"), "utf8");
    const start =
      '{"epoch":1,"step":5,"learningRate":0.5,"loss":"Infinity","losses":{"quality":1,"scene":1},' +
      '"weights":{"quality":1,"scene":0.5},"gradientNorm":3,"files":["/a.png"],"firstNonFinite":"b","gradients":[';
    expect(JSON.stringify(JSON.parse(text))).toBe(
      `${start}{"parameter":"a","norm":1,"nonFinite":0,"entries":4},` +
        '{"parameter":"b","norm":2,"nonFinite":1,"entries":2}]}',
    );
    expect(text.startsWith('{\n "epoch": 1,\n')).toBe(true);
    expect(text.endsWith("]\n}\n")).toBe(true);
    expect(diagnose(new NonFiniteStepError(error.result, []), place).firstNonFinite).toBeNull();
    await logs.close();
  });
});

describe("NO_LOGS", () => {
  it("writes no diagnosis and counts no bytes", async () => {
    expect(NO_LOGS.bytes).toEqual({ metrics: 0, events: 0 });
    expect(await NO_LOGS.diagnosis({} as Parameters<typeof NO_LOGS.diagnosis>[0])).toBeNull(); // not looked at
  });
});

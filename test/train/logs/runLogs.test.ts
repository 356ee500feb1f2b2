import { appendFileSync, readdirSync, readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { crc32c } from "../../../src/base/checksums.js";
import { metricsJson, MetricsLog, type StepMetrics } from "../../../src/train/logs/metricsLog.js";
import { RunLogs } from "../../../src/train/logs/runLogs.js";
import { EventFile } from "../../../src/train/logs/tensorboard.js";
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

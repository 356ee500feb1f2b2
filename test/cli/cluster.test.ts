import { execFile, execFileSync } from "node:child_process";
import {
  closeSync,
  constants,
  cpSync,
  existsSync,
  openSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { createServer } from "node:net";
import { join } from "node:path";
import { setTimeout } from "node:timers/promises";
import { pathToFileURL } from "node:url";
import { promisify } from "node:util";
import { beforeAll, describe, expect, it } from "vitest";
import { isCode } from "../../src/base/files.js";
import { PACKAGE_ROOT } from "../../src/base/packageInfo.js";
import { freePorts } from "../../src/engine/cluster/ports.js";
import { findInstalledEngine } from "../../src/engine/install/installed.js";
import { loadLast } from "../../src/train/checkpoint/checkpoint.js";
import { remainsOf, startLiqe, toyConfig } from "../support/disturbed.js";
import { endingsOf, lossesOf, startRanks, weightsOf } from "../support/ranks.js";
import { temporaryFolder, toyDatabase, toyWeights } from "../support/runs.js";
import { relativeError } from "../support/tensors.js";
import { IS_BUILT } from "./liqe.js";

const installed = findInstalledEngine();
const hasCollectives = IS_BUILT && installed.ok && installed.engine.flavor !== "official";

/** Process ids of a process's children, in the order in which they were started. */
function childrenOf(pid: number | undefined): number[] {
  return readFileSync(`/proc/${pid ?? ""}/task/${pid ?? ""}/children`, "utf8")
    .trim()
    .split(" ")
    .map(Number);
}

function isRunning(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}

type Srcc = { readonly mean: { readonly srcc: unknown } };

/** Images of a folder's predictions, and their qualities. */
function predictionsIn(folder: string) {
  const rows = readFileSync(join(folder, "predictions.csv"), "utf8").trimEnd().split("\n").slice(1);
  const fields = rows.map((row) => row.split(","));
  return { names: fields.map(([, image]) => image), qualities: fields.map((row) => Number(row[3])) };
}

/** Writing end of a named pipe, once another process has opened it to read. */
async function openForReader(pipe: string): Promise<number> {
  for (;;) {
    try {
      return openSync(pipe, constants.O_WRONLY | constants.O_NONBLOCK);
    } catch (error) {
      if (!isCode(error, "ENXIO")) throw error; // nobody reads yet
      await setTimeout(20);
    }
  }
}

async function untilSteps(run: string, steps: number): Promise<void> {
  const file = join(run, "split-1", "metrics.jsonl");
  while (!existsSync(file) || lossesOf(run).length < steps) await setTimeout(20);
}

describe.skipIf(!hasCollectives)("a run that several processes train", () => {
  let config = "";
  let whole = "";
  beforeAll(async () => {
    const train = ", epochs: 2, stepsPerEpoch: 10, saveEverySteps: 2";
    const root = await toyDatabase();
    cpSync(join(root, "toys", "splits2", "1"), join(root, "toys", "splits2", "2"), { recursive: true });
    config = toyConfig(root, await toyWeights(), { train });
    whole = join(temporaryFolder(), "run");
    const ranks = await startRanks(2, () => ["--config", config, "--out", whole]);
    expect(await endingsOf(ranks)).toMatchObject([{ code: 0 }, { code: 0 }]);
  }, 120_000);

  it.each([2, 3])(
    "has one process's losses and weights, by %i processes",
    async (count) => {
      const alone = join(temporaryFolder(), "run");
      const along = count === 2 ? whole : join(temporaryFolder(), "run");
      const one = startLiqe(["train", "--threads", "1", "--config", config, "--out", alone]);
      expect(await one.ended).toMatchObject({ code: 0 });
      if (along !== whole) {
        const ranks = await startRanks(count, () => ["--config", config, "--out", along]);
        expect((await endingsOf(ranks)).map(({ code }) => code)).toEqual(Array(count).fill(0));
      }
      const [found, wanted] = [lossesOf(along), lossesOf(alone)];
      expect(found).toHaveLength(20);
      for (const [step, loss] of wanted.entries()) expect(Math.abs((found[step] ?? NaN) / loss - 1)).toBeLessThan(1e-5);
      expect(relativeError(await weightsOf(along), await weightsOf(alone))).toBeLessThan(1e-3);
      expect(existsSync(join(along, "split-1", `rank-${count - 1}.log`))).toBe(true);
    },
    180_000,
  );

  it("goes on bit for bit after a rank was killed, the others having ended with 75", async () => {
    const run = join(temporaryFolder(), "run");
    const ranks = await startRanks(2, () => ["--config", config, "--out", run]);
    await untilSteps(run, 5);
    ranks[1]?.child.kill("SIGKILL");
    const [first] = await endingsOf(ranks);
    expect(first).toMatchObject({ code: 75 });
    expect(first?.messages).toMatch(/^rank 0: .*start all ranks again, and they go on from the last checkpoint$/m);
    // Rank 1 has no config of its own this time
    const again = await startRanks(2, (rank) => (rank === 0 ? ["--resume", run] : []));
    expect(await endingsOf(again)).toMatchObject([{ code: 0 }, { code: 0 }]);
    expect(remainsOf(run)).toEqual(remainsOf(whole));
  }, 180_000);

  it("tests its best checkpoint as one process does, each rank its part of the images", async () => {
    const out = join(temporaryFolder(), "again");
    const one = startLiqe(["evaluate", "--checkpoint", whole, "--threads", "1", "--seen", "drop", "--out", out]);
    expect(await one.ended).toMatchObject({ code: 0 });
    const [found, wanted] = [join(whole, "split-1"), out].map(predictionsIn);
    expect(found?.names).toEqual(wanted?.names);
    expect(found?.names).toHaveLength(6);
    for (const [i, quality] of (wanted?.qualities ?? []).entries())
      expect(Math.abs((found?.qualities[i] ?? NaN) - quality)).toBeLessThan(1e-4);
    const srccIn = (folder: string) =>
      (JSON.parse(readFileSync(join(folder, "results.json"), "utf8")) as Srcc).mean.srcc;
    expect(srccIn(join(whole, "split-1"))).toEqual(srccIn(out));
  }, 60_000);

  it("ends with 75 where a rank is killed while it tests, and is tested again when it is taken up", async () => {
    const run = join(temporaryFolder(), "run");
    const own = await toyDatabase(); // of rank 1, which hangs at an image that no other reads
    const image = join(own, "toys", "test5.png");
    const ranks = await startRanks(2, (rank) => [
      ...(rank === 0 ? ["--config", config, "--out", run] : ["--set", `data.root=${own}`]),
      "--cluster-timeout",
      "10",
    ]);
    await untilSteps(run, 2);
    rmSync(image);
    execFileSync("mkfifo", [image]);
    const writer = await openForReader(image);
    expect(existsSync(join(run, "split-1", "results.json"))).toBe(false);
    ranks[1]?.child.kill("SIGKILL");
    const [first] = await endingsOf(ranks);
    closeSync(writer);
    expect(first).toMatchObject({ code: 75 });
    expect(existsSync(join(run, "split-1", "results.json"))).toBe(false);
    const again = await startRanks(2, (rank) => (rank === 0 ? ["--resume", run] : []));
    expect(await endingsOf(again)).toMatchObject([{ code: 0 }, { code: 0 }]);
    expect(remainsOf(run)).toEqual(remainsOf(whole));
  }, 180_000);

  it("has the same weights and moments, bit for bit, where each rank keeps a share of the moments", async () => {
    const run = join(temporaryFolder(), "run");
    const zero = ["--set", "train.zero=1"];
    const ranks = await startRanks(2, () => ["--config", config, "--out", run, ...zero]);
    await untilSteps(run, 5);
    ranks[0]?.child.kill("SIGTERM"); // and taken up again: shares of whole moments
    expect((await endingsOf(ranks)).map(({ code }) => code)).toEqual([143, 75]);
    const again = await startRanks(2, (rank) => (rank === 0 ? ["--resume", run] : []));
    expect(await endingsOf(again)).toMatchObject([{ code: 0 }, { code: 0 }]);
    for (const file of ["model.safetensors", "optimizer.safetensors"]) {
      const [found, wanted] = [run, whole].map((folder) => readFileSync(join(folder, "split-1", "last", file)));
      expect(wanted !== undefined && found?.equals(wanted)).toBe(true);
    }
    const more = ["--set", "train.epochs=3", "--threads", "1"]; // by one process, which keeps them all
    expect(await startLiqe(["train", "--resume", run, ...more]).ended).toMatchObject({ code: 0 });
  }, 180_000);

  it("is one command's, which passes signals on, names a lost rank, and leaves no rank behind", async () => {
    const run = join(temporaryFolder(), "run");
    const start = (...args: string[]) =>
      startLiqe(["train", "--processes", "2", "--threads", "1", "--cluster-timeout", "10", ...args]);
    const killed = start("--config", config, "--out", run);
    await untilSteps(run, 4);
    const [, second = NaN] = childrenOf(killed.child.pid);
    process.kill(second, "SIGKILL");
    const lost = await killed.ended;
    expect(lost).toMatchObject({ code: 75 });
    expect(lost.messages).toMatch(new RegExp(`^rank 1: process ${second} was ended by SIGKILL$`, "m"));

    const told = start("--resume", run);
    await untilSteps(run, 7);
    told.child.kill("SIGTERM");
    expect(await told.ended).toMatchObject({ code: 143 });

    const orphaned = start("--resume", run);
    await untilSteps(run, 11);
    const ranks = childrenOf(orphaned.child.pid);
    orphaned.child.kill("SIGKILL");
    while (ranks.some(isRunning)) await setTimeout(50);
    const steps = (await loadLast(join(run, "split-1")))?.checkpoint.state.optimizerSteps ?? NaN;
    expect(steps).toBeGreaterThanOrEqual(11); // they saved after the step that they were in
    expect(steps).toBeLessThan(20);

    expect(await start("--resume", run).ended).toMatchObject({ code: 0 });
    expect(remainsOf(run)).toEqual(remainsOf(whole));
    expect(readdirSync(join(run, "split-1"))).toEqual(expect.arrayContaining(["rank-0.log", "rank-1.log"]));
  }, 240_000);

  it("trains two splits without a folder that the ranks share, is finished then, and may be given its config again", async () => {
    const [run, other] = [join(temporaryFolder(), "run"), join(temporaryFolder(), "other")];
    const argsOf = (rank: number) => [
      "--config",
      config,
      "--set",
      "train.epochs=1",
      "--set",
      "train.stepsPerEpoch=2",
      "--split",
      "1-2",
      "--out",
      rank === 0 ? run : other,
    ];
    expect(await endingsOf(await startRanks(2, argsOf))).toMatchObject([{ code: 0 }, { code: 0 }]);
    expect([1, 2].map((split) => existsSync(join(run, `split-${split}`, "results.json")))).toEqual([true, true]);
    expect(readdirSync(join(other, "split-2"))).toEqual(["rank-1.log"]);
    rmSync(join(run, "split-2"), { recursive: true }); // taken up by the same command, one split is done
    expect(await endingsOf(await startRanks(2, argsOf))).toMatchObject([{ code: 0 }, { code: 0 }]);
    const again = await startRanks(2, (rank) => (rank === 0 ? ["--resume", run] : ["--out", other]));
    expect(await endingsOf(again)).toMatchObject([{ code: 0 }, { code: 0 }]);
  }, 180_000);

  it("ends where a rank stands still, which the others name", async () => {
    const run = join(temporaryFolder(), "run");
    const ranks = await startRanks(2, () => ["--config", config, "--out", run, "--cluster-timeout", "6"]);
    await untilSteps(run, 2);
    ranks[1]?.child.kill("SIGSTOP");
    const first = await ranks[0]?.ended;
    ranks[1]?.child.kill("SIGKILL");
    expect(first).toMatchObject({ code: 75 });
    expect(first?.messages).toMatch(/^rank 0: rank 1 \(127\.0\.0\.1:\d+\) has not answered for 6 s/m);
  }, 120_000);

  it("loses no rank that works longer than the timeout, and passes bytes of any length", async () => {
    const modules = ["engine/engine.js", "engine/cluster/collective.js"].map(
      (file) => pathToFileURL(join(PACKAGE_ROOT, "dist", file)).href,
    );
    const addresses = (await freePorts(2)).map((port) => `127.0.0.1:${port}`);
    const program = (rank: number) => `
      const [{ startEngine }, { Collective }] = await Promise.all(${JSON.stringify(modules)}.map((file) => import(file)));
      await startEngine("native", { threads: 1 });
      const options = { addresses: ${JSON.stringify(addresses)}, rank: ${rank}, timeoutSeconds: 3, isPublic: false };
      const group = await Collective.join(options);
      const slept = await group.alongside(() => new Promise((end) => setTimeout(end, ${rank === 0 ? 7000 : 0}, ${rank})));
      const sizes = (await group.gather(new Uint8Array(${rank === 0 ? 0 : 5_000_001}).fill(7))).map((all) => all.length);
      const parts = [new Uint8Array(3000).fill(${1 - rank}), new Uint8Array(4_194_305).fill(${5 - rank})];
      await group.broadcast(parts);
      console.log(JSON.stringify([slept, sizes, parts.map((part) => [...new Set(part)])]));
      await group.leave();`;
    const ends = [0, 1].map((rank) =>
      promisify(execFile)(process.execPath, ["--input-type=module", "-e", program(rank)]),
    );
    const outputs = (await Promise.all(ends)).map(({ stdout }) => JSON.parse(stdout) as unknown);
    expect(outputs).toEqual([0, 1].map((rank) => [rank, [0, 5_000_001], [[1], [5]]]));
  }, 60_000);

  it("stops and saves on all ranks where one is asked to stop", async () => {
    const run = join(temporaryFolder(), "run");
    const ranks = await startRanks(2, () => ["--config", config, "--out", run]);
    await untilSteps(run, 3);
    ranks[1]?.child.kill("SIGINT");
    expect((await endingsOf(ranks)).map(({ code }) => code)).toEqual([75, 130]);
    expect(lossesOf(run).length).toBeLessThan(20);
    expect((await loadLast(join(run, "split-1")))?.checkpoint.state.optimizerSteps).toBe(lossesOf(run).length);
  }, 120_000);

  it.each([
    ["another config", ["--set", "train.learningRate=0.005"], 2, /differs from that of rank 0 in train\.learningRate;/],
    ["another seed", ["--set", "seed=7"], 2, /differs from that of rank 0 in seed;/],
    ["a wrong config", ["--set", "train.learningRate=-1"], 2, /learningRate/],
  ])(
    "names a rank with %s, on all ranks",
    async (_, extra, code, message) => {
      const run = join(temporaryFolder(), "run");
      const ranks = await startRanks(2, (rank) => ["--config", config, "--out", run, ...(rank === 1 ? extra : [])]);
      const endings = await endingsOf(ranks);
      expect(endings.map((ending) => ending.code)).toEqual([code, code]);
      expect(endings[0]?.messages).toMatch(/^rank 1: /m);
      for (const { messages } of endings) expect(messages).toMatch(message);
    },
    60_000,
  );

  it("names a rank with other lists, on all ranks", async () => {
    const run = join(temporaryFolder(), "run");
    const other = await toyDatabase();
    const list = join(other, "toys", "splits2", "1", "toys_train_clip.txt");
    writeFileSync(list, readFileSync(list, "utf8").replace("\t1\t", "\t1.5\t"));
    const ranks = await startRanks(2, (rank) =>
      rank === 0 ? ["--config", config, "--out", run] : ["--set", `data.root=${other}`],
    );
    const endings = await endingsOf(ranks);
    expect(endings.map(({ code }) => code)).toEqual([3, 3]);
    expect(endings[0]?.messages).toMatch(/^rank 1: toys: its lists are not those of rank 0;/m);
  }, 60_000);

  it("ends with 75 where a peer is not there, and names a port that is in use", async () => {
    const [own = 0, other = 0] = await freePorts(2);
    const args = ["train", "--config", config, "--out", join(temporaryFolder(), "run"), "--rank", "0"];
    const cluster = ["--cluster", `127.0.0.1:${own},127.0.0.1:${other}`, "--cluster-timeout", "2"];
    const alone = await startLiqe([...args, ...cluster]).ended;
    expect(alone).toMatchObject({ code: 75 });
    expect(alone.messages).toMatch(`rank 1, 127.0.0.1:${other}, did not answer for 2 s`);
    const server = createServer();
    await new Promise<void>((resolve) => server.listen(own, () => { resolve(); })); // prettier-ignore
    const refused = await startLiqe([...args, ...cluster]).ended;
    server.close();
    expect(refused).toMatchObject({ code: 2 });
    expect(refused.messages).toMatch(`port ${own} of this rank cannot be used`);
  }, 60_000);

  it("is refused outside private networks, on WebAssembly, and where a step has fewer images than there are ranks", async () => {
    const train = (...args: string[]) => startLiqe(["train", "--config", config, ...args]).ended;
    const away = await train("--cluster", "8.8.8.8:8470,127.0.0.1:8471", "--rank", "1");
    expect(away).toMatchObject({ code: 2, messages: expect.stringContaining("--cluster-public") as string });
    const wasm = await train("--engine", "wasm", "--cluster", "127.0.0.1:8470,127.0.0.1:8471", "--rank", "1");
    expect(wasm).toMatchObject({ code: 5, messages: expect.stringContaining("liqe engine install") as string });
    const run = join(temporaryFolder(), "run");
    const few = ["--set", "data.databases.0.imagesPerStep=2"];
    const many = await startRanks(3, () => ["--config", config, "--out", run, ...few]);
    for (const { code, messages } of await endingsOf(many)) {
      expect(code).toBe(2);
      expect(messages).toMatch(/3 processes cannot share steps of 2 images/);
    }
  }, 120_000);
});

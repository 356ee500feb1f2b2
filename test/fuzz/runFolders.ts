/** Readers of what runs leave: a small run's folder, of which one file at a time is changed. */
import { createHash } from "node:crypto";
import { cpSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { basename, dirname, join } from "node:path";
import { listRuns } from "../../src/api/runs.js";
import { trainingHistory } from "../../src/evaluate/report/training.js";
import { loadLast, saveLast } from "../../src/train/checkpoint/checkpoint.js";
import { runState } from "../../src/train/checkpoint/runState.js";
import { checkpointAfter } from "../support/checkpoints.js";
import { temporaryFolder } from "../support/runs.js";
import { promise, type Reader } from "./reader.js";

const CONFIG =
  "run: small\nseed: 1\nmodel:\n  preset: vit-tiny\n  weights: none\ntrain:\n  epochs: 3\n  stepsPerEpoch: 1\n";

const EPOCHS = [0, 1].map((epoch) => ({
  kind: "epoch",
  epoch,
  time: { seconds: 12.5 },
  validation: { srcc: 0.5 + epoch / 10, pairs: null },
}));
const STEPS = [0, 1, 2].map((step) => ({
  ...{ kind: "step", epoch: 0, step, loss: 1.5 - step / 4, rate: 1e-4, time: { seconds: 0.4 } },
  tasks: { quality: { loss: 0.7, weight: 1 }, scene: { loss: 0.4, weight: 1 }, distortion: { loss: 0.4, weight: 1 } },
}));
const METRICS = [...STEPS, ...EPOCHS].map((line) => `${JSON.stringify(line)}\n`).join("");

/** A run with two checkpoints, of steps 1 and 2; the place of its split. */
async function smallRun(): Promise<string> {
  const split = join(temporaryFolder(), "small", "split-1");
  await saveLast(split, checkpointAfter(1));
  await saveLast(split, checkpointAfter(2));
  writeFileSync(join(split, "config.yaml"), CONFIG);
  writeFileSync(join(split, "metrics.jsonl"), METRICS);
  return split;
}

/** Makes a changed file's checkpoint whole again, as one who wants it read would: its size and hash are those written. */
function sign(checkpoint: string, name: string): void {
  const manifest = join(checkpoint, "manifest.json");
  const { files } = JSON.parse(readFileSync(manifest, "utf8")) as { files: Record<string, object> };
  const bytes = readFileSync(join(checkpoint, name));
  files[name] = { bytes: bytes.length, sha256: createHash("sha256").update(bytes).digest("hex") };
  writeFileSync(manifest, JSON.stringify({ files }));
}

/** What `runs`, `report` and a resume read of a run's folder. */
async function readRun(split: string): Promise<void> {
  const state = runState(split);
  promise(state.kind === "known", "nothing of the run is known");
  const listed = await listRuns(dirname(split));
  promise(
    listed.every(({ epoch, seconds }) => epoch >= 0 && Number.isFinite(seconds)),
    "its epochs or seconds are no numbers",
  );
  trainingHistory(readFileSync(join(split, "metrics.jsonl"), "utf8"));
  const { checkpoint } = (await loadLast(split)) ?? {};
  const { position } = checkpoint?.state.progress ?? {};
  promise(position !== undefined && position.epoch >= 0 && position.step >= 0, "its position is none");
}

/** Readers of a run, each with one of its files changed; of a checkpoint's, its manifest is made anew, and `previous` is gone. */
export async function runReaders(): Promise<readonly Reader[]> {
  const whole = await smallRun();
  const inRun = ["config.yaml", "metrics.jsonl"];
  const inCheckpoint = ["manifest.json", "state.json", "seen.json", "model.safetensors", "optimizer.safetensors"];
  return [...inRun, ...inCheckpoint.map((name) => join("last", name))].map((name) => ({
    name: `${name} of a run`,
    file: basename(name),
    files: [Uint8Array.from(readFileSync(join(whole, name)))],
    read: async (changed) => {
      const split = join(dirname(changed), "run", "split-1");
      rmSync(dirname(split), { recursive: true, force: true });
      cpSync(whole, split, { recursive: true });
      cpSync(changed, join(split, name));
      if (!inRun.includes(name)) {
        rmSync(join(split, "previous"), { recursive: true });
        if (basename(name) !== "manifest.json") sign(join(split, "last"), basename(name));
      }
      await readRun(split);
    },
  }));
}

/** Runs that several processes train. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { freePorts } from "../../src/engine/cluster/ports.js";
import { loadLast } from "../../src/train/checkpoint/checkpoint.js";
import { type Ending, startLiqe } from "./disturbed.js";

/** Starts the ranks of one run; `argsOf` gives each its arguments besides those of the cluster. */
export async function startRanks(count: number, argsOf: (rank: number) => readonly string[]) {
  const cluster = (await freePorts(count)).map((port) => `127.0.0.1:${port}`).join(",");
  return Array.from({ length: count }, (_, rank) =>
    startLiqe(["train", "--threads", "1", "--cluster", cluster, "--rank", String(rank), ...argsOf(rank)]),
  );
}

export async function endingsOf(ranks: Awaited<ReturnType<typeof startRanks>>): Promise<Ending[]> {
  return Promise.all(ranks.map(({ ended }) => ended));
}

/** Losses of a run's steps. */
export function lossesOf(run: string): number[] {
  const text = readFileSync(join(run, "split-1", "metrics.jsonl"), "utf8");
  const lines = text.split("\n").slice(0, -1); // whole ones
  const events = lines.map((line) => JSON.parse(line) as { kind: string; loss: number });
  return events.flatMap(({ kind, loss }) => (kind === "step" ? [loss] : []));
}

/** Trained weights, but for biases of keys, whose gradient is rounding alone. */
export async function weightsOf(run: string): Promise<number[]> {
  const weights = (await loadLast(join(run, "split-1")))?.checkpoint.weights ?? new Map();
  return [...weights].flatMap(([name, { values }]: [string, { values: Float32Array }]) => {
    const kept = [...values];
    const third = kept.length / 3;
    return name.endsWith("in_proj_bias") ? [...kept.slice(0, third), ...kept.slice(2 * third)] : kept;
  });
}

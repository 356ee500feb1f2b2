import { describe, expect, it } from "vitest";
import { LossesConfig } from "../../src/losses/config.js";
import { TrainConfig } from "../../src/train/config.js";
import {
  type CheckpointKind,
  type LoopConfig,
  type StepOptions,
  type StopSignal,
  type Trainable,
  trainLoop,
} from "../../src/train/loop.js";
import { RUN_START, type RunProgress, type Validation } from "../../src/train/progress.js";
import { stopWhen } from "../support/runs.js";

const configOf = (train: Record<string, unknown>): LoopConfig => ({
  train: TrainConfig.parse({ epochs: 2, stepsPerEpoch: 3, saveEverySteps: 2, schedule: "constant", ...train }),
  losses: LossesConfig.parse({}),
  tasks: ["quality"],
});

/** A trainer that writes down what the loop asks of it; validations give `scores` in turn. */
function recording(scores: readonly (number | null)[], stopAfterSteps = Infinity) {
  const plans: StepOptions[] = [];
  const saved: [CheckpointKind, string][] = [];
  let validations = 0;
  const trainer: Trainable<Validation> = {
    step: (plan) => {
      plans.push(plan);
      return Promise.resolve({
        loss: 1,
        losses: { quality: 1 },
        weights: { quality: 1 },
        gradients: null,
        gradientNorm: 1,
      });
    },
    validate: () => {
      const srcc = scores[validations++] ?? null;
      return Promise.resolve({ srcc, average: srcc });
    },
    endEpoch: () => Promise.resolve(),
    save: (kind, { position }) => {
      saved.push([kind, `${position.epoch}.${position.step}`]);
      return Promise.resolve();
    },
  };
  const signal = stopWhen(() => plans.length >= stopAfterSteps);
  return { ports: { trainer, signal }, plans, saved, validated: () => validations };
}

/** The loop over a fake trainer. */
const run = (
  config: LoopConfig,
  start: RunProgress,
  { trainer, signal }: { readonly trainer: Trainable<Validation>; readonly signal: StopSignal },
) => trainLoop(trainer, config, { start, signal });

describe("fit", () => {
  it("takes every step once, in order, and saves when it is due and at each epoch's end", async () => {
    const { ports, plans, saved } = recording([0.5, 0.4]);
    const end = await run(configOf({}), RUN_START, ports);
    expect(end).toMatchObject({ finished: true, position: { epoch: 2, step: 0 }, best: 0.5 });
    expect(plans.map(({ position }) => `${position.epoch}.${position.step}`)).toEqual([
      "0.0",
      "0.1",
      "0.2",
      "1.0",
      "1.1",
      "1.2",
    ]);
    expect(saved).toEqual([
      ["last", "0.2"],
      ["best", "1.0"],
      ["best-average", "1.0"],
      ["last", "1.0"],
      ["last", "1.1"],
      ["last", "2.0"],
    ]);
  });

  it("keeps the first best where a later validation has no value", async () => {
    const { ports } = recording([0.5, null]);
    expect(await run(configOf({}), RUN_START, ports)).toMatchObject({ best: 0.5, bestAverage: 0.5 });
  });

  it.each([1, 2, 3, 4])("stops after step %i, saved, and goes on where it stopped", async (steps) => {
    const first = recording([0.5, 0.6], steps);
    const stopped = await run(configOf({}), RUN_START, first.ports);
    expect(stopped.finished).toBe(false);
    expect(first.plans).toHaveLength(steps);
    expect(first.saved.at(-1)).toEqual(["last", `${stopped.position.epoch}.${stopped.position.step}`]);
    const second = recording([0.5, 0.6].slice(first.validated()));
    const end = await run(configOf({}), stopped, second.ports);
    expect(end).toMatchObject({ finished: true, best: 0.6 });
    expect(first.plans.length + second.plans.length).toBe(6);
  });

  it.each([
    { scores: [0.5, 0.4, 0.5, 0.6], epochs: 3, why: "an equal score is no rise" },
    { scores: [0.5, 0.4, 0.6, 0.5, 0.5], epochs: 5, why: "a rise starts the count anew" },
    { scores: [null, null, 0.5], epochs: 2, why: "no score is no rise" },
    { scores: [0.1, 0.2, 0.3, 0.4, 0.5, 0.6], epochs: 6, why: "every score rises" },
  ])("ends where patience does, finished: $why", async ({ scores, epochs }) => {
    const { ports, plans, saved } = recording(scores);
    const end = await run(configOf({ epochs: 6, patienceEpochs: 2 }), RUN_START, ports);
    expect(end).toMatchObject({ finished: true, position: { epoch: epochs, step: 0 } });
    expect(plans).toHaveLength(3 * epochs);
    expect(saved.at(-1)).toEqual(["last", `${epochs}.0`]);
  });

  it("counts validated epochs alone towards patience", async () => {
    const { ports } = recording([0.5, 0.4, 0.4]);
    const end = await run(configOf({ epochs: 9, patienceEpochs: 2, validateEveryEpochs: 2 }), RUN_START, ports);
    expect(end.position.epoch).toBe(6);
  });

  it.each([2, 4, 5, 7])("ends at the same epoch where it was stopped after step %i between", async (steps) => {
    const config = configOf({ epochs: 9, patienceEpochs: 2 });
    const scores = [0.5, 0.4, 0.3, 0.6];
    const first = recording(scores, steps);
    const stopped = await run(config, RUN_START, first.ports);
    const second = recording(scores.slice(first.validated()));
    const end = await run(config, JSON.parse(JSON.stringify(stopped)) as typeof stopped, second.ports); // as files do
    expect(end).toMatchObject({ finished: true, position: { epoch: 3, step: 0 } });
    expect(first.plans.length + second.plans.length).toBe(9);
  });

  it("keeps every k-th checkpoint under a name of its own, before the `last` of the same position", async () => {
    const { ports, saved } = recording([0.5, 0.4]);
    await run(configOf({ keepEverySteps: 2, saveEverySteps: 4 }), RUN_START, ports);
    expect(saved).toEqual([
      ["step-2", "0.2"],
      ["best", "1.0"],
      ["best-average", "1.0"],
      ["last", "1.0"],
      ["step-4", "1.1"],
      ["last", "1.1"],
      ["step-6", "2.0"],
      ["last", "2.0"],
    ]);
  });

  it("allows so many skipped steps, counts them across a stop, and leaves them out of the mean losses", async () => {
    const { ports, plans } = recording([0.5, 0.6]);
    const step: typeof ports.trainer.step = async (plan) => {
      const result = await ports.trainer.step(plan);
      return [1, 3].includes(plans.length) ? null : result;
    };
    const skipping = { ...ports, trainer: { ...ports.trainer, step } };
    const config = configOf({ maxSkippedSteps: 2 });
    const end = await run(config, RUN_START, skipping);
    expect(plans.map(({ maySkip }) => maySkip)).toEqual([true, true, true, false, false, false]);
    expect(end.skippedSteps).toBe(2);
    expect(end.history.epochMeans).toEqual([{ quality: 1 }, { quality: 1 }]);
    const again = recording([0.7]);
    await run(configOf({ epochs: 3, maxSkippedSteps: 2 }), { ...end, finished: false }, again.ports);
    expect(again.plans.map(({ maySkip }) => maySkip)).toEqual([false, false, false]);
  });

  it("saves before a validation that is given up, and validates when it goes on", async () => {
    const first = recording([]);
    const stopped = await run(configOf({}), RUN_START, {
      ...first.ports,
      trainer: { ...first.ports.trainer, validate: () => Promise.resolve(null) },
    });
    expect(stopped).toMatchObject({ finished: false, position: { epoch: 0, step: 3 }, history: { steps: 3 } });
    expect(first.saved.at(-1)).toEqual(["last", "0.3"]);
    expect(first.plans).toHaveLength(3);
    const second = recording([0.5, 0.6]);
    const end = await run(configOf({}), stopped, second.ports);
    expect(end).toMatchObject({ finished: true, best: 0.6, history: { epochMeans: [{ quality: 1 }, { quality: 1 }] } });
    expect([second.plans.length, second.validated()]).toEqual([3, 2]);
  });

  it("validates every k-th epoch, and the last one always", async () => {
    const { ports, validated } = recording([0.1, 0.2, 0.3]);
    await run(configOf({ epochs: 5, validateEveryEpochs: 2 }), RUN_START, ports);
    expect(validated()).toBe(3);
  });
});

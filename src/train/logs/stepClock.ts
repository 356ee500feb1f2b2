import type { Position } from "../loop.js";

/** How much of the past the shown speed remembers: about the last twenty steps. */
const MEMORY = 0.95;

/** Speed and time left, from the steps of this process; what was done before a resume is not counted. */
export class StepClock {
  #secondsPerStep: number | null = null;
  #epochStartedMs: number;

  constructor(
    private readonly run: { readonly epochs: number; readonly stepsPerEpoch: number },
    private readonly now: () => number,
  ) {
    this.#epochStartedMs = now();
  }

  /** After a step. Time left counts training steps alone, not validation. */
  step({ epoch, step }: Position, images: number, seconds: number): { imagesPerSecond: number; secondsLeft: number } {
    const { epochs, stepsPerEpoch } = this.run;
    const before = this.#secondsPerStep;
    this.#secondsPerStep = before === null ? seconds : MEMORY * before + (1 - MEMORY) * seconds;
    const stepsLeft = epochs * stepsPerEpoch - (epoch * stepsPerEpoch + step + 1);
    return { imagesPerSecond: images / this.#secondsPerStep, secondsLeft: stepsLeft * this.#secondsPerStep };
  }

  /** After an epoch: its seconds, validation included. */
  epoch(): number {
    const endedMs = this.now();
    const seconds = (endedMs - this.#epochStartedMs) / 1000;
    this.#epochStartedMs = endedMs;
    return seconds;
  }
}

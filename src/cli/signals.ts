/** Ctrl-C and the scheduler's "please end": once to stop after the step and save, twice to stop at once. */
import { EXIT, type ExitCode } from "./exitCodes.js";

const EXIT_CODE = { SIGINT: EXIT.interrupted, SIGTERM: EXIT.terminated } as const;
type StopSignal = keyof typeof EXIT_CODE;

export interface StopRequest {
  /** Aborted by the first signal; its `reason` is the signal's name. */
  readonly signal: AbortSignal;
  /** What the process should exit with once it has saved; undefined while nobody asked it to stop. */
  readonly exitCode: () => ExitCode | undefined;
  /** Does what leaves nothing to be saved: a signal during it ends the process at once, with its code. */
  readonly endingAtOnce: <T>(work: () => Promise<T>) => Promise<T>;
  /** Gives SIGINT and SIGTERM back their usual effect. Call it in `finally`. */
  readonly dispose: () => void;
}

/** What training says. */
const TRAINING_STOPS = "stopping after this step and saving; once more stops at once, at the last checkpoint";

/**
 * Listens for SIGINT and SIGTERM. The loop must wait for a timer or for input now and then (native operations hold the
 * thread, and a signal is heard between them): look at `signal.aborted` after each step.
 *
 * @param notify  told once, in words for the user, that the work ends after this step
 * @param words   those words
 */
export function listenForStop(notify: (line: string) => void, words = TRAINING_STOPS): StopRequest {
  const controller = new AbortController();
  let exitCode: ExitCode | undefined;
  let hasToSave = true;
  const onSignal = (name: StopSignal) => {
    if (exitCode !== undefined) process.exit(EXIT_CODE[name]);
    if (!hasToSave) {
      notify(`${name}: stopped; what was trained is saved`);
      process.exit(EXIT_CODE[name]);
    }
    exitCode = EXIT_CODE[name];
    notify(`${name}: ${words}`);
    controller.abort(name);
  };
  process.on("SIGINT", onSignal).on("SIGTERM", onSignal);
  return {
    signal: controller.signal,
    exitCode: () => exitCode,
    endingAtOnce: async (work) => {
      hasToSave = false;
      try {
        return await work();
      } finally {
        hasToSave = true;
      }
    },
    dispose: () => {
      process.off("SIGINT", onSignal).off("SIGTERM", onSignal);
    },
  };
}

/** SIGINT (Ctrl-C) and SIGTERM: the first stops the work after its step and saves, a later one ends it at once. */
import { EXIT } from "./exitCodes.js";

const EXIT_CODE = { SIGINT: EXIT.interrupted, SIGTERM: EXIT.terminated } as const;
type StopSignal = keyof typeof EXIT_CODE;

export interface StopRequest {
  /** Aborted by the first signal; its `reason` is the signal's name. */
  readonly signal: AbortSignal;
  /** Exit code for after saving; undefined while no signal has come. */
  readonly exitCode: () => number | undefined;
  /** Sets the effect of a first signal: `save` aborts `signal`, `end` ends the process at once, saying `words`. */
  readonly setEffect: (effect: "save" | "end", words?: string) => void;
  /** Gives SIGINT and SIGTERM back their usual effect. Call it in `finally`. */
  readonly dispose: () => void;
}

/** Milliseconds in which copies of the first signal count as it: `timeout` sends one to a process and one to its group. */
const COPIES_MS = 1000;

const TRAINING_STOPS = "stopping after this step and saving; once more stops at once, at the last checkpoint";

/**
 * Listens for SIGINT and SIGTERM. Native operations hold the thread: the work must yield and look at `signal.aborted`.
 * @param notify  told once, in `words` for the user, that the work is going to stop
 */
export function listenForStop(notify: (line: string) => void, words = TRAINING_STOPS): StopRequest {
  const controller = new AbortController();
  let exitCode: number | undefined;
  let firstAt = 0;
  let ending: string | null = null;
  const onSignal = (name: StopSignal) => {
    if (exitCode !== undefined) {
      if (name === controller.signal.reason && performance.now() - firstAt < COPIES_MS) return;
      process.exit(EXIT_CODE[name]);
    }
    if (ending !== null) {
      notify(`${name}: ${ending}`);
      process.exit(EXIT_CODE[name]);
    }
    exitCode = EXIT_CODE[name];
    firstAt = performance.now();
    notify(`${name}: ${words}`);
    controller.abort(name);
  };
  process.on("SIGINT", onSignal).on("SIGTERM", onSignal);
  return {
    signal: controller.signal,
    exitCode: () => exitCode,
    setEffect: (effect, text = "stopped") => {
      ending = effect === "end" ? text : null;
    },
    dispose: () => {
      process.off("SIGINT", onSignal).off("SIGTERM", onSignal);
    },
  };
}

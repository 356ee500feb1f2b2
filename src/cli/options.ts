/** Options that several commands share, so that they are spelled and explained alike everywhere. */
import type { Argv } from "yargs";
import { ConfigError } from "../base/errors.js";
import type { ImageOptions } from "../data/images/loadImage.js";
import type { EngineChoice } from "../engine/engine.js";

const ENGINE_CHOICES = ["auto", "native", "wasm"] as const satisfies readonly EngineChoice[];

export interface EngineOptions {
  readonly engine: EngineChoice;
  /** Undefined: the config's `engine.threads` rules, and where there is no config the engine chooses. */
  readonly threads: number | undefined;
}

/** `--engine` and `--threads`, which every command that computes takes. */
export function engineOptions<T>(yargs: Argv<T>): Argv<T & EngineOptions> {
  return yargs
    .option("engine", {
      choices: ENGINE_CHOICES,
      default: "auto" as const, // not any string: one of the choices
      describe: "what computes: TensorFlow, WebAssembly, or the best there is",
    })
    .option("threads", {
      ...wholeNumberOption("threads", 1),
      describe: "how many threads compute  [default: the config's, or one a core]",
    });
}

export interface ScoringOptions {
  readonly paths: readonly string[];
  readonly recursive: boolean;
  /** Undefined: the usual number. */
  readonly crops: number | undefined;
  readonly small: ImageOptions["small"];
}

/** The images, `--recursive`, `--crops` and `--small` of the commands that score images without a list. */
export function scoringOptions<T>(yargs: Argv<T>): Argv<T & ScoringOptions> {
  return yargs
    .positional("paths", {
      type: "string",
      array: true,
      demandOption: true,
      describe: "images, folders, patterns such as 'photos/**/*.jpg', or - for a list on standard input",
    })
    .option("recursive", { type: "boolean", default: false, describe: "also the folders in folders" })
    .option("crops", { ...wholeNumberOption("crops", 1), describe: "windows an image is scored by  [default: 15]" })
    .option("small", {
      choices: ["error", "resize"] as const,
      default: "error" as const, // not any string: one of the choices
      describe: "resize: enlarge images below 224 pixels on a side",
    });
}

/**
 * A whole number from the command line; undefined where the option was not given.
 *
 * @throws {ConfigError} where `given` is anything but digits, or less than `least`
 */
function wholeNumber(option: string, given: string | undefined, least: number): number | undefined {
  if (given === undefined) return undefined;
  const value = Number(given);
  if (/^\d+$/.test(given) && Number.isSafeInteger(value) && value >= least) return value;
  throw new ConfigError(`${option}: must be a whole number of at least ${least}, got "${given}"`);
}

/** `wholeNumber` as an option of yargs. */
export function wholeNumberOption(name: string, least: number) {
  const coerce = (given: string | undefined) => wholeNumber(`--${name}`, given, least);
  return { type: "string", requiresArg: true, coerce } as const;
}

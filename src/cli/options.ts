/** Kinds of options, and the options that several commands share. */
import type { Argv } from "yargs";
import { ConfigError } from "../base/errors.js";
import type { ImageOptions } from "../data/images/loadImage.js";
import type { EngineChoice } from "../engine/engine.js";
import { ACTIVATIONS, type Activation } from "../model/architecture/architecture.js";

const ENGINE_CHOICES = ["auto", "native", "wasm"] as const satisfies readonly EngineChoice[];

/** Option with a value. */
export function textOption(describe: string) {
  return { type: "string", requiresArg: true, describe } as const;
}

/** Option with a value that the command cannot do without. */
export function requiredOption(describe: string) {
  return { ...textOption(describe), demandOption: true } as const;
}

/** Default of the model that scores, as help has it. */
export const IN_THE_BOX = "liqe-small, the model in the box";

/** Option with any number of values, none by default. */
export function listOption(describe: string) {
  return { ...textOption(describe), array: true, default: [] as string[], defaultDescription: "none" } as const; // yargs infers never[] else
}

/** Option without a value. */
export function flagOption(describe: string) {
  return { type: "boolean", default: false, describe } as const;
}

/** Option with a whole number of at least `least`. @throws {ConfigError} while parsing anything else */
export function wholeNumberOption(name: string, least: number, describe: string) {
  const coerce = (given: string | undefined): number | undefined => {
    if (given === undefined) return undefined;
    const value = Number(given);
    if (/^\d+$/.test(given) && Number.isSafeInteger(value) && value >= least) return value;
    throw new ConfigError(`--${name}: must be a whole number of at least ${least}, got "${given}"`);
  };
  return { ...textOption(describe), coerce } as const;
}

/** Option with a number above 0 and at most `most`. @throws {ConfigError} while parsing anything else */
function positiveOption(name: string, most: number, describe: string) {
  const coerce = (given: string | undefined): number | undefined => {
    if (given === undefined) return undefined;
    if (/^\d+(\.\d+)?$/.test(given) && Number(given) > 0 && Number(given) <= most) return Number(given);
    throw new ConfigError(`--${name}: must be a number above 0, at most ${most}, got "${given}"`);
  };
  return { ...textOption(describe), coerce } as const;
}

export const jsonOption = flagOption("one JSON object on standard output");

export interface EngineOptions {
  readonly engine: EngineChoice;
  /** Undefined: by the config's `engine.threads`; without a config the engine chooses. */
  readonly threads: number | undefined;
}

/** `--engine` and `--threads`, which every command that computes takes. */
export function engineOptions<T>(yargs: Argv<T>): Argv<T & EngineOptions> {
  return yargs
    .option("engine", {
      choices: ENGINE_CHOICES,
      default: "auto" as const, // not any string: one of the choices
      describe: "what computes: the best there is, TensorFlow, or WebAssembly",
    })
    .option(
      "threads",
      wholeNumberOption("threads", 1, "how many threads compute  [default: the config's, or one a core]"),
    );
}

/** `--precision`, of commands that score. */
export const precisionOption = {
  choices: ["float32", "bfloat16"] as const,
  default: "float32" as const, // not any string: one of the choices
  requiresArg: true,
  describe: "of matrix products; bfloat16 is quicker on processors with units for it, and scores differ a little",
} as const;

/** `--no-follow-links`, for images from strangers. */
export const followLinksOption = {
  type: "boolean",
  describe: "--no-follow-links refuses links that lead out of the images' folder  [default: the config's, or follow]",
} as const;

/** `--prompts`, for commands that may ask others than a model's own. */
export function promptsOption() {
  return textOption("YAML file of prompts (template, qualities, scenes, distortions)  [default: the model's own]");
}

/** `--config` and `--prompts`, of commands that need no other part of a config. */
export function promptOptions<T>(yargs: Argv<T>): Argv<T & PromptOptions> {
  return yargs
    .option("config", textOption("ask the prompts of this config"))
    .option("prompts", promptsOption())
    .conflicts("config", "prompts");
}

export interface PromptOptions {
  readonly config: string | undefined;
  readonly prompts: string | undefined;
}

/** `--heads` and `--activation`, of commands that read weight files. */
export function kindOptions<T>(yargs: Argv<T>): Argv<T & KindOptions> {
  return yargs
    .option("heads", wholeNumberOption("heads", 1, `heads of the image tower${UNSAID}`))
    .option("activation", { choices: ACTIVATIONS, requiresArg: true, describe: `activation of both towers${UNSAID}` });
}

const UNSAID = ", of a weight file that does not say it";

export interface KindOptions {
  readonly heads: number | undefined;
  readonly activation: Activation | undefined;
}

/** Megapixels that `--max-megapixels` may ask for, as `data.maxMegapixels`. */
const MOST_MEGAPIXELS = 1000;

/** `--max-megapixels`, for commands that read images without a config. */
export function megapixelsOption(usual = "64") {
  return positiveOption("max-megapixels", MOST_MEGAPIXELS, `larger images are refused undecoded  [default: ${usual}]`);
}

/** Options of reading and scoring images, wherever they come from. */
export interface ReadingOptions {
  /** Undefined: the usual number. */
  readonly crops: number | undefined;
  readonly small: ImageOptions["small"];
  /** Undefined: the usual number. */
  readonly "max-megapixels": number | undefined;
  readonly orientation: "ignore" | "apply";
}

export interface ScoringOptions extends ReadingOptions {
  readonly paths: readonly string[];
  readonly recursive: boolean;
}

/** The images and the options of reading and scoring them of the commands that score images without a list. */
export function scoringOptions<T>(yargs: Argv<T>): Argv<T & ScoringOptions> {
  const named = yargs
    .positional("paths", {
      type: "string",
      array: true,
      demandOption: true,
      describe: "images, folders, tar shards, patterns such as 'photos/**/*.jpg', or - for a list on standard input",
    })
    .option("recursive", flagOption("also the folders in folders"));
  return readingOptions(named);
}

/** The options of reading and scoring images of the commands that score them without a list. */
export function readingOptions<T>(yargs: Argv<T>): Argv<T & ReadingOptions> {
  return yargs
    .option("crops", wholeNumberOption("crops", 1, "windows an image is scored by  [default: 15]"))
    .option("small", {
      choices: ["error", "resize"] as const,
      default: "error" as const, // not any string: one of the choices
      describe: "resize: enlarge images below the model's window",
    })
    .option("max-megapixels", megapixelsOption())
    .option("orientation", {
      choices: ["ignore", "apply"] as const,
      default: "ignore" as const, // not any string: one of the choices
      describe: "apply: turn images as EXIF says; the databases' images are not turned",
    });
}

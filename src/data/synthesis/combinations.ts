import { ConfigError } from "../../base/errors.js";
import { type Random, seededRandom } from "../../base/random.js";
import { DISTORTION_TYPES, DISTORTIONS } from "../../model/prompts/labels.js";
import { type Level, LEVELS, SYNTHETIC_TYPES, type SyntheticType } from "../distortions/types.js";

/** Distortion of one version of a photograph. */
export type Combination = { readonly type: SyntheticType; readonly level: Level };

export interface CombinationOptions {
  readonly seed: number;
  /** Levels of each type, 1 to 5, spread evenly; 5 by default. */
  readonly levels?: number | undefined;
  /** Combinations of each content, even over the classes of distortion; all by default. */
  readonly perContent?: number | undefined;
}

/** Combinations of each content, even over the classes of distortion. @throws {ConfigError} on numbers out of range */
export function combinationsOf(contents: readonly string[], { seed, levels, perContent }: CombinationOptions) {
  const spread = spreadLevels(levels ?? LEVELS.length);
  const all = allCombinations(spread);
  const pick = (content: string) =>
    perContent === undefined ? all : pickCombinations(all, perContent, seededRandom(seed, "combinations", content));
  return {
    levels: spread,
    perContent: perContent ?? all.length,
    byContent: new Map(contents.map((content) => [content, pick(content)])),
  };
}

/** `count` levels spread over 1 to 5, the ends included: 3 are 1, 3, 5; a single one is 3. */
export function spreadLevels(count: number): Level[] {
  if (!Number.isInteger(count) || count < 1 || count > LEVELS.length) {
    throw new ConfigError(`--levels: must be a whole number from 1 to ${LEVELS.length}, got ${count}`);
  }
  const middle = (LEVELS.length - 1) / 2;
  const wanted = Array.from({ length: count }, (_, i) =>
    Math.round(count === 1 ? middle : (i * (LEVELS.length - 1)) / (count - 1)),
  );
  return LEVELS.filter((_, i) => wanted.includes(i));
}

export function allCombinations(levels: readonly Level[]): Combination[] {
  return SYNTHETIC_TYPES.flatMap((type) => levels.map((level) => ({ type, level })));
}

/**
 * Picks `count` of the combinations for one photograph, as even over the classes as their numbers allow: the classes
 * take turns, in a random order, each giving a random one. @throws {ConfigError} where there are fewer than `count`
 */
export function pickCombinations(all: readonly Combination[], count: number, random: Random): Combination[] {
  if (!Number.isInteger(count) || count < 1 || count > all.length) {
    throw new ConfigError(`--per-content: must be a whole number from 1 to ${all.length}, got ${count}`);
  }
  const queues = random
    .shuffle(DISTORTIONS)
    .map((name) => random.shuffle(all.filter(({ type }) => classOf(type) === name)));
  const turns = queues.flatMap((queue, place) => queue.map((combination, turn) => ({ combination, turn, place })));
  turns.sort((a, b) => a.turn - b.turn || a.place - b.place);
  const picked = new Set(turns.slice(0, count).map(({ combination }) => combination));
  return all.filter((combination) => picked.has(combination));
}

export function classOf(type: SyntheticType): (typeof DISTORTIONS)[number] {
  const found = DISTORTIONS.find((name) => (DISTORTION_TYPES[name] as readonly string[]).includes(type)); // widened to look up
  if (found === undefined) throw new Error(`internal: classOf: "${type}" belongs to no class of distortion`);
  return found;
}

import { type Random, seededRandom } from "../base/random.js";
import { checkQuotas } from "./openDatabases.js";
import type { Database, Sample } from "./sample.js";
import { drawAcrossScores } from "./split/stratified.js";

/**
 * Databases with some of their training images alone, for few-shot studies; see `drawAcrossScores`. A function of seed,
 * database and list.
 * @param images  of each database; one with fewer keeps all; null keeps all of every one
 * @returns       the same databases, images in their lists' order
 * @throws {DataError} where fewer images are left than a step takes
 */
export function withFewImages(databases: readonly Database[], images: number | null, seed: number): Database[] {
  if (images === null) return [...databases];
  const reduced = databases.map((database) => {
    return { ...database, train: drawn(database.train, images, seededRandom(seed, "few-shot", database.name)) };
  });
  checkQuotas(reduced);
  return reduced;
}

function drawn(train: readonly Sample[], images: number, random: Random): readonly Sample[] {
  if (train.length <= images) return train;
  const kept = new Set(drawAcrossScores(train, images, random));
  return train.filter((_, place) => kept.has(place));
}

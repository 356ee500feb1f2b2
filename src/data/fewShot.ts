import { seededRandom } from "../base/random.js";
import { checkQuotas } from "./openDatabases.js";
import type { Database, Sample } from "./sample.js";

/**
 * Databases with some of their training images alone, for few-shot studies: the list in ascending order of MOS is cut
 * into as many even parts as images are asked for, and one of each part is drawn. A function of seed, database and list.
 * @param images  of each database; one with fewer keeps all; null keeps all of every one
 * @returns       the same databases, images in their lists' order
 * @throws {DataError} where fewer images are left than a step takes
 */
export function withFewImages(databases: readonly Database[], images: number | null, seed: number): Database[] {
  if (images === null) return [...databases];
  const reduced = databases.map((database) => {
    return { ...database, train: drawn(database.train, images, seededRandom(seed, "few-shot", database.name).integer) };
  });
  checkQuotas(reduced);
  return reduced;
}

function drawn(train: readonly Sample[], images: number, integer: (below: number) => number): readonly Sample[] {
  if (train.length <= images) return train;
  const ascending = train
    .map(({ mos, image }, place) => ({ mos, image, place }))
    .sort((a, b) => a.mos - b.mos || (a.image < b.image ? -1 : 1));
  const borders = Array.from({ length: images + 1 }, (_, i) => Math.floor((i * train.length) / images));
  const places = borders.slice(1).map((end, i) => {
    const start = borders[i] ?? 0; // one border more than parts
    return ascending[start + integer(end - start)]?.place;
  });
  const kept = new Set(places);
  return train.filter((_, place) => kept.has(place));
}

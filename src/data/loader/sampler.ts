import { DataError } from "../../base/errors.js";
import { seededRandom } from "../../base/random.js";
import type { Database, Sample } from "../sample.js";

export interface DatabaseBatch {
  readonly name: string;
  /** Highest minus lowest MOS of the training list. */
  readonly mosSpan: number;
  readonly samples: readonly Sample[];
  /** The whole training list. */
  readonly train: readonly Sample[];
}

/** @throws {DataError} naming every database that has fewer training images than it gives to a step */
export function checkQuotas(databases: readonly Database[]): void {
  const problems = databases
    .filter(({ imagesPerStep, train }) => train.length < imagesPerStep)
    .map(
      ({ name, imagesPerStep, train }) =>
        `data.databases: ${name}: its training list has ${train.length} images, fewer than imagesPerStep: ` +
        `${imagesPerStep}; lower that, or give it more images`,
    );
  if (problems.length > 0) throw new DataError(problems.join("\n"));
}

/**
 * Sampler of the images of a step, by its number from the run's beginning, in an endless chain of permutations.
 *
 * @param databases  each with as many training images as it gives to a step (`checkQuotas`)
 */
export function createSampler(databases: readonly Database[], seed: number): (step: number) => DatabaseBatch[] {
  const chains = databases.map((database) => {
    const { name, train } = database;
    return { ...database, mosSpan: spanOfMos(train), order: permutation(seed, name, train.length) };
  });
  return (step) =>
    chains.map(({ name, imagesPerStep, train, order, mosSpan }) => ({
      name,
      train,
      samples: Array.from({ length: imagesPerStep }, (_, i) => {
        const sample = train[order.at(step * imagesPerStep + i)];
        if (sample === undefined) throw new RangeError(`internal: ${name}: the order left its list`);
        return sample;
      }),
      mosSpan,
    }));
}

function spanOfMos(samples: readonly Sample[]): number {
  const highest = samples.reduce((most, { mos }) => Math.max(most, mos), -Infinity);
  return highest - samples.reduce((least, { mos }) => Math.min(least, mos), Infinity);
}

/**
 * Endless chain of permutations of {0, ..., size - 1}: `at(position)` is defined for every position, so that a batch is
 * never short and a run is resumed by its next position. The order depends on seed, database and size alone.
 */
export function permutation(seed: number, database: string, size: number): { at(position: number): number } {
  const passes = new Map<number, readonly number[]>();
  const pass = (index: number): readonly number[] => {
    const known = passes.get(index);
    if (known !== undefined) return known;
    // Steps are asked for in order, more or less: two passes are enough to remember.
    for (const old of passes.keys()) if (passes.size > 1) passes.delete(old);
    const order = seededRandom(seed, "order", database, index).shuffle([...Array(size).keys()]);
    passes.set(index, order);
    return order;
  };
  return {
    at: (position) => {
      const image = pass(Math.floor(position / size))[position % size];
      if (image === undefined) throw new RangeError(`internal: order: no position ${position} among ${size} images`);
      return image;
    },
  };
}

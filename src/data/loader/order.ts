import { seededRandom } from "../../base/random.js";

/**
 * An endless chain of permutations of {0, ..., size - 1}: `at(position)` is defined for every position, so that a
 * batch is never short and a run is resumed by asking for its next position. The order depends on the seed, the
 * database and the size alone.
 */
export function createOrder(seed: number, database: string, size: number): { at(position: number): number } {
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

import { CheckpointError } from "../../base/errors.js";
import type { Moments } from "../../engine/adam/fusedAdam.js";
import type { NamedArray, NamedArrays } from "../../model/parameters/parameters.js";

/** Adam's two moments of each parameter, as tensors of one file: `<parameter>.first` and `<parameter>.second`. */
const FIRST = ".first";
const SECOND = ".second";

/** Borrows the arrays. */
export function momentsToArrays(moments: ReadonlyMap<string, Moments>): Map<string, NamedArray> {
  return new Map(
    [...moments].flatMap(([name, { first, second }]): [string, NamedArray][] => [
      [name + FIRST, { shape: [first.length], values: first }],
      [name + SECOND, { shape: [second.length], values: second }],
    ]),
  );
}

/** Borrows the arrays; others than moments are passed over. @throws {CheckpointError} where one of a pair is missing */
export function momentsFrom(arrays: NamedArrays): Map<string, Moments> {
  const moments = new Map<string, Moments>();
  for (const [name, { values: first }] of arrays) {
    if (!name.endsWith(FIRST)) continue;
    const parameter = name.slice(0, -FIRST.length);
    const second = arrays.get(parameter + SECOND)?.values;
    if (second === undefined) throw new CheckpointError(`optimizer: ${parameter}: its second moment is missing`);
    moments.set(parameter, { first, second });
  }
  return moments;
}

import { ShapeError } from "../base/errors.js";
import type * as tf from "./tf.js";

/** A named axis of any size, or a fixed size: `["batch", "tokens", 768]` reads like its docstring. */
type Axis = string | number;

/**
 * Checks a tensor against named axes; equal names must have equal sizes.
 * @throws {ShapeError} e.g. `encodeImages: pixels: expected [batch, 224, 224, 3], got [2, 3, 224, 224]`
 */
export function checkShape(where: string, x: tf.Tensor, axes: readonly Axis[]): void {
  const sizes = new Map<string, number>();
  const fits =
    x.rank === axes.length &&
    x.shape.every((size, i) => {
      const axis = axes[i];
      if (typeof axis !== "string") return axis === size;
      const expected = sizes.get(axis) ?? size;
      sizes.set(axis, expected);
      return size === expected;
    });
  if (!fits) throw new ShapeError(`${where}: expected [${axes.join(", ")}], got [${x.shape.join(", ")}]`);
}

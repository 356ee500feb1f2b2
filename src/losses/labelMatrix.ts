import { DataError, ShapeError } from "../base/errors.js";

/** Which classes each image has, on the host. */
export interface LabelMatrix {
  readonly images: number;
  readonly classes: number;
  /** Row-major [images, classes]: 1 where the image has the class, else 0; a row of zeros is a missing label. */
  readonly values: Float32Array;
}

/**
 * Several classes an image, as scenes have them.
 *
 * @param values  row-major [images, classes], borrowed: 0 or 1
 * @throws {ShapeError} where the values do not fill whole rows
 * @throws {DataError}  on a value other than 0 and 1
 */
export function multiLabels(values: Float32Array, images: number, classes: number): LabelMatrix {
  if (values.length !== images * classes) {
    throw new ShapeError(`multiLabels: expected ${images} images x ${classes} classes, got ${values.length} values`);
  }
  const wrong = values.findIndex((value) => value !== 0 && value !== 1);
  if (wrong >= 0) {
    const where = `image ${Math.floor(wrong / classes)}, class ${wrong % classes}`;
    throw new DataError(`multiLabels: ${where}: must be 1 or 0, got ${values[wrong] ?? NaN}`);
  }
  return { images, classes, values };
}

/**
 * One class an image, as distortions have it.
 *
 * @param indices  [images], borrowed: 0 to classes − 1, or −1 for a missing label
 * @throws {DataError} on an index outside that range
 */
export function singleLabels(indices: Int32Array, classes: number): LabelMatrix {
  const values = new Float32Array(indices.length * classes);
  indices.forEach((index, image) => {
    if (index < -1 || index >= classes) {
      throw new DataError(`singleLabels: image ${image}: must be a class from 0 to ${classes - 1} or -1, got ${index}`);
    }
    if (index >= 0) values[image * classes + index] = 1;
  });
  return { images: indices.length, classes, values };
}

/** How many classes each image has: [images]. */
export function labelCounts({ images, classes, values }: LabelMatrix): number[] {
  return Array.from({ length: images }, (_, image) =>
    values.subarray(image * classes, (image + 1) * classes).reduce((sum, value) => sum + value, 0),
  );
}

/** Each image's part in the mean over the labelled ones, which are given 1/n, the others 0: [images]. */
export function labelledWeights(labels: LabelMatrix): number[] {
  const counts = labelCounts(labels);
  const labelled = counts.filter((count) => count > 0).length;
  return counts.map((count) => (count > 0 ? 1 / labelled : 0));
}

import type { AugmentConfig } from "../augment/config.js";
import type { Versions } from "../augment/versions.js";
import type { Sample } from "../sample.js";

/** What a batch says of an image besides its score. */
export type Labels = Pick<Sample, "scenes" | "distortion" | "file">;

export const labelsOf = ({ scenes, distortion, file }: Sample): Labels => ({ scenes, distortion, file });

/** How distorted versions are labelled. */
export interface LabelRules {
  /** The class of a type by LIQE's lists; null where the run's labels do not know it. */
  readonly distortionOf: (type: string) => number | null;
}

/** A version shows what its content shows, and suffers from what it was given, as far as that is strong enough. */
export function versionLabels(
  samples: readonly Sample[],
  groups: readonly number[],
  made: readonly Versions[],
  augment: (Pick<AugmentConfig, "labelFrom"> & LabelRules) | null,
): Labels[] {
  if (augment === null) return [];
  return made.flatMap(({ levels, type }, group) => {
    const content = samples[groups[group] ?? NaN];
    if (content === undefined) throw new RangeError("internal: versionLabels: a version of no image");
    const distortion = augment.distortionOf(type);
    return levels.map((level) => ({ ...labelsOf(content), distortion: level < augment.labelFrom ? null : distortion }));
  });
}

/** [images, scenes], flat. */
export function manyHot(samples: readonly Labels[], scenes: number): Float32Array {
  const hot = new Float32Array(samples.length * scenes);
  samples.forEach((sample, i) => {
    for (const scene of sample.scenes) hot[i * scenes + scene] = 1;
  });
  return hot;
}

/** How a database's paths name the photograph that an image is a version of. */
const RULES: Readonly<Record<string, RegExp>> = {
  kadid10k: /(?:^|\/)(I\d\d)(?:_\d\d_\d\d)?\.png$/i, // I01_01_01.png
  csiq: /(?:^|\/)([^/.]+)\.[^/]+$/, // dst_imgs/awgn/1600.AWGN.1.png
  tid2013: /(?:^|\/)(i\d\d)(?:_\d\d_\d)?\.bmp$/i, // i01_01_1.bmp
  pipal: /(?:^|\/)(A\d{4})(?:_\d\d_\d\d)?\.bmp$/i, // A0001_00_00.bmp
};

/** The layout of `liqe data synthesize`: images/<content>/<type>_<level>.png */
const SYNTHESIZED = /^images\/([^/]+)\/[^/]+_[1-5]\.png$/;

/**
 * The photograph that an image is a version of, as far as its path tells; null where it does not: then images, and not
 * contents, are what a bootstrap draws.
 */
export function contentOf(database: string, image: string): string | null {
  const rule = Object.hasOwn(RULES, database) ? RULES[database] : SYNTHESIZED;
  const content = rule?.exec(image.replace(/^\.\//, ""))?.[1] ?? null;
  return rule?.ignoreCase === true ? (content?.toUpperCase() ?? null) : content; // TID2013 has both I01 and i01
}

/** Paths that say how strongly an image is distorted: everything before the level, then the level, 1 the weakest. */
const LEVEL_RULES: Readonly<Record<string, RegExp>> = {
  kadid10k: /^(.*I\d\d_\d\d)_(\d\d)\.png$/i, // I01_<type>_<level>.png
  csiq: /^(.*\.[^/.]+)\.(\d)\.png$/, // 1600.AWGN.<level>.png
  tid2013: /^(.*i\d\d_\d\d)_(\d)\.bmp$/i, // i01_<type>_<level>.bmp
};

/** The layout of `liqe data synthesize`. */
const SYNTHESIZED_LEVEL = /^(images\/[^/]+\/[^/]+)_([1-5])\.png$/;

export interface DistortionLevel {
  /** One type of distortion of one photograph: images of one series differ in their level alone. */
  readonly series: string;
  readonly level: number;
}

/** The level of an image's distortion as far as its path tells; null where it does not. */
export function levelOf(database: string, image: string): DistortionLevel | null {
  const rule = Object.hasOwn(LEVEL_RULES, database) ? LEVEL_RULES[database] : SYNTHESIZED_LEVEL;
  const [, series, level] = rule?.exec(image) ?? [];
  if (series === undefined) return null;
  return { series: rule?.ignoreCase === true ? series.toUpperCase() : series, level: Number(level) };
}

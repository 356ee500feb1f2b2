/** How a database's paths name the photograph that an image is a version of. */
const RULES: Readonly<Record<string, RegExp>> = {
  kadid10k: /(?:^|\/)(I\d\d)(?:_\d\d_\d\d)?\.png$/i, // I01_01_01.png
  csiq: /(?:^|\/)([^/.]+)\.[^/]+$/, // dst_imgs/awgn/1600.AWGN.1.png
};

/** The layout of `liqe data synthesize`: images/<content>/<type>_<level>.png */
const SYNTHESIZED = /^images\/([^/]+)\/[^/]+_[1-5]\.png$/;

/**
 * The photograph that an image is a version of, as far as its path tells; null where it does not: then images, and not
 * contents, are what a bootstrap draws.
 */
export function contentOf(database: string, image: string): string | null {
  const rule = Object.hasOwn(RULES, database) ? RULES[database] : SYNTHESIZED;
  return rule?.exec(image.replace(/^\.\//, ""))?.[1] ?? null;
}

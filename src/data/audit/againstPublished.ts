import { count } from "../../base/text.js";
import type { PublishedScore } from "../lists/deviations.js";
import { normalizePath } from "../lists/imagePath.js";
import type { Sample } from "../sample.js";
import type { Finding } from "./findings.js";
import { findingAt, findingOf } from "./sampleChecks.js";

/** Scores are published with six decimals in one file and with fewer in another. */
const ROUNDING = 5e-4;

/** Images of a database's lists held against its `<name>_all.txt`: other scores, and images that only one of them has. */
export function compareWithPublished(
  database: string,
  images: readonly Sample[],
  published: ReadonlyMap<string, PublishedScore>,
): Finding[] {
  if (published.size === 0 || images.length === 0) return [];
  const listed = new Set(images.map(({ image }) => normalizePath(image)));
  const onlyListed = images.filter(({ image }) => !published.has(normalizePath(image))).length;
  const onlyPublished = [...published.keys()].filter((image) => !listed.has(image)).length;
  const differing = images.flatMap((sample) => {
    const score = published.get(normalizePath(sample.image));
    if (score === undefined || !(Math.abs(score.mos - sample.mos) > ROUNDING)) return [];
    const what = `its score is ${sample.mos}, and ${score.mos} in the database's _all.txt; make them agree`;
    return [findingAt(sample, "disagreement", "warning", what)];
  });
  if (onlyListed + onlyPublished === 0) return differing;
  const what =
    `${count(onlyListed, "image")} of its lists are not in its _all.txt, ` +
    `${count(onlyPublished, "image")} of that file in none of its lists`;
  return [...differing, findingOf(database, "count", "warning", what)];
}

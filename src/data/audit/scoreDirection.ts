import { sampleCorrelation } from "simple-statistics";
import { levelOf } from "../databases/content.js";
import type { PublishedScore } from "../lists/deviations.js";
import { normalizePath } from "../lists/readList.js";
import type { Sample } from "../sample.js";
import type { Finding } from "./findings.js";
import { findingOf } from "./sampleChecks.js";

/** Fewer comparisons than this say nothing: noise in the scores turns single ones around. */
const FEWEST_PAIRS = 10;

/**
 * Over all contents and types together, images of at least so many levels and scores whose correlation is above this
 * say the same. In the published lists it is -0.67 for KADID-10k and -0.89 for CSIQ.
 */
const FEWEST_LEVELS = 30;
const RISING_CORRELATION = 0.2;

/** A list's name, and its samples in the list's order. */
interface ListedSamples {
  readonly list: string;
  readonly samples: readonly Sample[];
}

interface Votes {
  readonly right: number;
  readonly wrong: number;
}

/**
 * Whether a list's scores stand the wrong way round (a DMOS column taken for MOS): most pairs of levels of one
 * distortion of one photograph have the higher score at the stronger level, scores rise with the level over all images,
 * or most pairs of neighbouring lines have the other order than in the database's `<name>_all.txt`.
 */
export function findWrongDirection(
  database: string,
  { list, samples }: ListedSamples,
  published: ReadonlyMap<string, PublishedScore>,
): Finding[] {
  const levels = samples.flatMap(({ image, mos }): ScoredLevel[] => {
    const known = levelOf(database, normalizePath(image));
    return known === null || !Number.isFinite(mos) ? [] : [{ ...known, mos }];
  });
  const why =
    majority(votesOfLevels(levels), "rise with the level of the distortion that the paths tell") ??
    risingCorrelation(levels) ??
    majority(votesOfPublished(samples, published), "are in the opposite order to those of the _all.txt list");
  if (why === null) return [];
  const what = `${why}: are they DMOS, lower is better? Turn them once, in the list`;
  return [{ ...findingOf(database, "polarity", "error", what), list, message: `${list}: ${what}` }];
}

interface ScoredLevel {
  readonly series: string;
  readonly level: number;
  readonly mos: number;
}

function majority({ right, wrong }: Votes, what: string): string | null {
  if (right + wrong < FEWEST_PAIRS || wrong <= right) return null;
  return `${wrong} of ${right + wrong} pairs of its scores ${what}`;
}

function risingCorrelation(levels: readonly ScoredLevel[]): string | null {
  if (levels.length < FEWEST_LEVELS) return null;
  const r = sampleCorrelation(
    levels.map(({ level }) => level),
    levels.map(({ mos }) => mos),
  );
  if (!(r > RISING_CORRELATION)) return null; // NaN where all are the same
  return `its scores rise with the levels of distortion that the paths tell (correlation ${r.toFixed(2)})`;
}

/** Pairs of one series: the weaker distortion should have the higher score. Equal scores do not vote. */
function votesOfLevels(levels: readonly ScoredLevel[]): Votes {
  const series = new Map<string, ScoredLevel[]>();
  for (const scored of levels) {
    const members = series.get(scored.series);
    if (members === undefined) series.set(scored.series, [scored]);
    else members.push(scored);
  }
  const pairs = [...series.values()].flatMap((members) =>
    members.flatMap((a) => members.filter((b) => a.level < b.level).map((b) => a.mos - b.mos)),
  );
  return { right: pairs.filter((fall) => fall > 0).length, wrong: pairs.filter((fall) => fall < 0).length };
}

/** Neighbouring lines, in the list and as published. */
function votesOfPublished(samples: readonly Sample[], published: ReadonlyMap<string, PublishedScore>): Votes {
  const scores = samples.flatMap(({ image, mos }) => {
    const other = published.get(normalizePath(image))?.mos;
    return other === undefined || !Number.isFinite(other) || !Number.isFinite(mos) ? [] : [{ mos, other }];
  });
  const agreements = scores.slice(1).map((b, i) => {
    const a = scores[i] ?? b; // i is one before b
    return Math.sign(a.mos - b.mos) * Math.sign(a.other - b.other);
  });
  return {
    right: agreements.filter((sign) => sign > 0).length,
    wrong: agreements.filter((sign) => sign < 0).length,
  };
}

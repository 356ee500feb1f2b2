import { sampleCorrelation } from "simple-statistics";
import { extentOf, groupBy } from "../../base/collections.js";
import { plural } from "../../base/text.js";
import { contentOf, levelOf } from "../databases/content.js";
import { KeyIndex } from "../keyIndex.js";
import { type ListContext, normalizePath, type PublishedScores } from "../lists/entries.js";
import { type ListedImage, type Sample, type SplitSamples, type Subset, SUBSETS } from "../sample.js";
import { type Finding, findingAt, findingOf } from "./findings.js";

/** Checks one split's lists together: shared images and contents, the direction of scores, labels. */
export function checkSplit(split: SplitSamples, context: ListContext): Finding[] {
  const byList = groupBy([...split.train, ...split.val, ...split.test], ({ list }) => list);
  return [
    ...findOverlaps(split),
    ...findSharedContents(split),
    ...[...byList].flatMap(([list, samples]) => findWrongDirection(list, samples, context)),
    ...findUntrained(split, context),
  ];
}

/** Images of one split, with or without scores. */
type SplitImages = Readonly<Record<Subset, readonly ListedImage[]>>;

/** Checks the images of one split whose training list has no scores: an image of several pairs is one image. */
export function checkPairedSplit(split: SplitImages): Finding[] {
  return [...findOverlaps(split), ...findSharedContents(split)];
}

/** Finds images in two lists of one split: such a test rewards memory. */
function findOverlaps(split: SplitImages): Finding[] {
  const all = SUBSETS.flatMap((subset) => split[subset]);
  const ends = [split.train.length, split.train.length + split.val.length];
  const subsetOf = (place: number) => SUBSETS[ends.filter((end) => place >= end).length];
  const known = new KeyIndex((place) => all[place]?.file ?? "");
  const told = new Set<ListedImage>(); // an image of several pairs is one
  const findings: Finding[] = [];
  all.forEach((sample, place) => {
    const at = known.claim(sample.file, place);
    const first = at === null ? undefined : all[at];
    if (at === null || first === undefined || told.has(sample)) return;
    const [there, here] = [subsetOf(at), subsetOf(place)];
    if (there === undefined || here === undefined || there === here) return;
    told.add(sample);
    const what = `stands in ${first.list}:${first.line} too, in ${there}, and here in ${here}; remove one`;
    findings.push(findingAt(sample, "overlap", "error", what));
  });
  return findings;
}

/** Finds photographs with versions in two of a split's lists: one finding for each and list, at its first image. */
export function findSharedContents(split: SplitImages): Finding[] {
  const firsts: ListedImage[] = [];
  const subsets: Subset[] = []; // of the firsts
  const last: Subset[] = []; // subset that a content was seen in last
  const known = new KeyIndex((at) => contentOf(firsts[at] as ListedImage) ?? ""); // firsts alone are claimed
  const findings: Finding[] = [];
  for (const subset of SUBSETS) {
    for (const sample of split[subset]) {
      const content = contentOf(sample);
      if (content === null) continue;
      const at = known.claim(content, firsts.length);
      const first = at === null ? undefined : firsts[at];
      if (at === null || first === undefined) {
        firsts.push(sample);
        subsets.push(subset);
        last.push(subset);
      } else if (last[at] !== subset) {
        last[at] = subset;
        if (first.image === sample.image) continue;
        const there = `${first.list}:${first.line} (${first.image})`;
        const what = `is of the content "${content}", and so is ${there}, in ${subsets[at] ?? ""}; keep a content in one list`;
        findings.push(findingAt(sample, "content", "error", what));
      }
    }
  }
  return findings;
}

/** Fewest pairs that are judged: noise in the scores turns single ones around. */
const FEWEST_PAIRS = 10;

/**
 * Fewest images with levels, over all contents and types together, and the correlation of level and score above which
 * scores rise. In the published lists it is -0.67 for KADID-10k and -0.89 for CSIQ.
 */
const FEWEST_LEVELS = 30;
const RISING_CORRELATION = 0.2;

/**
 * Finds a list whose scores stand the wrong way round (a DMOS column taken for MOS): most pairs of levels of one
 * distortion of one photograph have the higher score at the stronger level, scores rise with the level over all images,
 * or most pairs of neighboring lines have the other order than in the database's `<name>_all.txt`.
 */
export function findWrongDirection(
  list: string,
  samples: readonly Sample[],
  { database, published }: Pick<ListContext, "database" | "published">,
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

type ScoredLevel = { readonly series: string; readonly level: number; readonly mos: number };

/** Verdict of votes, positive for the right direction; a vote of 0 does not count. */
function majority(votes: readonly number[], what: string): string | null {
  const right = votes.filter((vote) => vote > 0).length;
  const wrong = votes.filter((vote) => vote < 0).length;
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

/** Votes of pairs of one series: the weaker distortion should have the higher score. */
function votesOfLevels(levels: readonly ScoredLevel[]): number[] {
  return [...groupBy(levels, ({ series }) => series).values()].flatMap((members) =>
    members.flatMap((a) => members.filter((b) => a.level < b.level).map((b) => a.mos - b.mos)),
  );
}

/** Votes of neighboring lines: their order in the list should be the published one. */
function votesOfPublished(samples: readonly Sample[], published: PublishedScores): number[] {
  if (published.size === 0) return [];
  const scores = samples.flatMap(({ image, mos }) => {
    const other = published.get(normalizePath(image))?.mos;
    return other === undefined || !Number.isFinite(other) || !Number.isFinite(mos) ? [] : [{ mos, other }];
  });
  return scores.slice(1).map((b, i) => {
    const a = scores[i] ?? b; // i is one before b
    return Math.sign(a.mos - b.mos) * Math.sign(a.other - b.other);
  });
}

/** Label tables with the indices that a sample has in each. */
function labelKinds({ tables }: Pick<ListContext, "tables">) {
  const ofDistortion = ({ distortion }: Sample): readonly number[] => (distortion === null ? [] : [distortion]);
  const ofScene = ({ scenes }: Sample): readonly number[] => scenes;
  return [
    { kind: "distortion", names: Object.keys(tables.distortions), indices: ofDistortion },
    { kind: "scene", names: tables.scenes, indices: ofScene },
  ];
}

/** Finds labels that a split validates or tests and has no image of to train on. */
export function findUntrained(split: SplitSamples, context: Pick<ListContext, "database" | "tables">): Finding[] {
  if (split.train.length === 0) return [];
  return labelKinds(context).flatMap(({ kind, names, indices }) => {
    const trained = labelsOf([split.train], indices);
    if (trained.size === 0) return []; // no labels of this kind to learn from at all: said elsewhere
    const tested = labelsOf([split.val, split.test], indices);
    const untrained = names.filter((_, i) => tested.has(i) && !trained.has(i));
    if (untrained.length === 0) return [];
    const { database } = context;
    const list = split.train[0]?.list ?? null;
    const what = `the ${kind} ${untrained.join(", ")} is tested and has no image to train on`;
    return [{ ...findingOf(database, "skew", "warning", what), list, message: `${list ?? database}: ${what}` }];
  });
}

function labelsOf(
  lists: readonly (readonly Sample[])[],
  indices: (sample: Sample) => readonly number[],
): ReadonlySet<number> {
  const labels = new Set<number>();
  for (const list of lists) for (const sample of list) for (const label of indices(sample)) labels.add(label);
  return labels;
}

/** Share of the images from which one label is reported: an accuracy of as much is then worth nothing. */
const LARGE_SHARE = 0.8;

/** Notes labels that no image has, and a label that nearly all have. @param images  of a database, each once */
export function findSkew(images: readonly Sample[], context: Pick<ListContext, "database" | "tables">): Finding[] {
  return labelKinds(context).flatMap(({ kind, names, indices }) => {
    const counts = names.map(() => 0);
    let labeled = 0;
    for (const image of images) {
      const found = indices(image);
      if (found.length > 0) labeled++;
      for (const label of found) counts[label] = (counts[label] ?? 0) + 1; // a label is told once of an image
    }
    if (labeled === 0) return [];
    const absent = names.filter((_, i) => counts[i] === 0);
    const { most } = extentOf(counts);
    const note = (what: string) => findingOf(context.database, "skew", "note", what);
    const absence = note(`no image has the ${kind} ${absent.join(", ")}; nothing is learned or tested of it here`);
    const name = names[counts.indexOf(most)] ?? "";
    const share = note(
      `${most} of ${plural(labeled, "image")} with a ${kind} have "${name}"; an accuracy of as much says nothing`,
    );
    return [...(absent.length > 0 ? [absence] : []), ...(most > LARGE_SHARE * labeled ? [share] : [])];
  });
}

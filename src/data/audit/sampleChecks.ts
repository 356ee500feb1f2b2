import { plural } from "../../base/text.js";
import type { LabelTables } from "../../model/prompts/labels.js";
import { knownDatabase } from "../databases/registry.js";
import { placeOf } from "../images/requireImages.js";
import type { PublishedScore } from "../lists/deviations.js";
import { createLabelReader, normalizePath } from "../lists/readList.js";
import type { Sample, Subset } from "../sample.js";
import type { DatabaseCounts, Finding, FindingKind, Severity } from "./findings.js";

/** The lists of one split; a list that was not there has no images. */
export type SplitSamples = Readonly<Record<Subset, readonly Sample[]>>;

/** A finding about one line of a list. */
export function findingAt(sample: Sample, kind: FindingKind, severity: Severity, what: string): Finding {
  const { database, list, line, image } = sample;
  return { kind, severity, database, list, line, image, message: `${placeOf(sample)}: ${what}` };
}

/** A finding about a whole database. */
export function findingOf(database: string, kind: FindingKind, severity: Severity, what: string): Finding {
  return { kind, severity, database, list: null, line: null, image: null, message: `${database}: ${what}` };
}

/** Images that stand in two lists of one split: what is learned by heart is then tested. */
export function findOverlaps(split: SplitSamples): Finding[] {
  const seen = new Map<string, Sample>();
  const findings: Finding[] = [];
  for (const sample of [...split.train, ...split.val, ...split.test]) {
    const first = seen.get(normalizePath(sample.image));
    if (first === undefined) seen.set(normalizePath(sample.image), sample);
    else if (first.list !== sample.list) {
      findings.push(findingAt(sample, "overlap", "error", `stands in ${first.list}:${first.line} too; remove one`));
    }
  }
  return findings;
}

/** Each image once, by its first line, and the lines that say something else of it. */
export function mergeLists(lists: readonly (readonly Sample[])[]): { images: Sample[]; findings: Finding[] } {
  const byImage = new Map<string, Sample>();
  const findings: Finding[] = [];
  for (const sample of lists.flat()) {
    const first = byImage.get(normalizePath(sample.image));
    if (first === undefined) byImage.set(normalizePath(sample.image), sample);
    else if (!agree(first, sample)) {
      const what = `has other scores or labels than in ${first.list}:${first.line}; make them agree`;
      findings.push(findingAt(sample, "disagreement", "warning", what));
    }
  }
  return { images: [...byImage.values()], findings };
}

function agree(a: Sample, b: Sample): boolean {
  return Object.is(a.mos, b.mos) && a.distortion === b.distortion && a.scenes.join() === b.scenes.join();
}

/** What can be said of a database's images by their lists alone. */
export function checkImagesOf(database: string, images: readonly Sample[], tables: LabelTables): Finding[] {
  return [
    ...findContradictions(database, images, tables),
    ...checkCount(database, images),
    ...checkRange(database, images),
    ...checkDeviations(database, images),
    ...checkLabels(database, images),
  ];
}

function findContradictions(database: string, images: readonly Sample[], tables: LabelTables): Finding[] {
  const labels = createLabelReader(tables);
  const classes = Object.keys(tables.distortions);
  const typeOfPath = knownDatabase(database)?.typeOfPath ?? (() => null);
  return images.flatMap((sample) => {
    const type = typeOfPath(sample.image);
    if (type === null || sample.distortion === null) return [];
    const told = labels.distortion(type);
    if (!("index" in told) || told.index === null || told.index === sample.distortion) return [];
    const [label = "", path = ""] = [classes[sample.distortion], classes[told.index]];
    const what = `is labelled ${label}, its path says ${type} (${path}); relabel it, or know that you train on it`;
    return [findingAt(sample, "contradiction", "warning", what)];
  });
}

function checkCount(database: string, images: readonly Sample[]): Finding[] {
  const known = knownDatabase(database);
  if (known === undefined || images.length === 0 || known.images === images.length) return [];
  const what = `its lists name ${plural(images.length, "image")}, the database has ${known.images}; are they whole?`;
  return [findingOf(database, "count", "warning", what)];
}

function checkRange(database: string, images: readonly Sample[]): Finding[] {
  const [low, high] = knownDatabase(database)?.mosRange ?? [-Infinity, Infinity];
  const outside = images
    .filter(({ mos }) => mos < low || mos > high)
    .map((sample) => {
      const what = `its score ${sample.mos} is outside ${low} to ${high}; is the list of this database's scale?`;
      return findingAt(sample, "range", "warning", what);
    });
  const isConstant = images.length > 1 && images.every(({ mos }) => mos === images[0]?.mos);
  const same = `all ${images.length} scores are ${images[0]?.mos ?? NaN}; nothing can be ranked by them`;
  return isConstant ? [...outside, findingOf(database, "range", "error", same)] : outside;
}

function checkDeviations(database: string, images: readonly Sample[]): Finding[] {
  const unknown = images.filter(({ mosStd }) => mosStd === null).length;
  const zero = images.filter(({ mosStd }) => mosStd === 0).length;
  if (unknown === images.length || unknown + zero === 0) return [];
  const what = `of ${plural(images.length, "score")}, ${zero} have the deviation 0 and ${unknown} none; both are floored`;
  return [findingOf(database, "deviation", "note", what)];
}

function checkLabels(database: string, images: readonly Sample[]): Finding[] {
  const distortion = images.filter((sample) => sample.distortion === null).length;
  const scene = images.filter((sample) => sample.scenes.length === 0).length;
  if (distortion + scene === 0) return [];
  const what = `of ${plural(images.length, "image")}, ${distortion} have no distortion label and ${scene} no scene`;
  return [findingOf(database, "unlabelled", "note", `${what}; those tasks leave them out`)];
}

/** Counts a database's images, each once. */
export function countImages(
  images: readonly Sample[],
  splits: readonly SplitSamples[],
  tables: LabelTables,
): DatabaseCounts {
  const [first] = splits;
  const tally = (names: readonly string[], indices: (sample: Sample) => readonly number[]) => {
    const counts = new Array<number>(names.length).fill(0);
    for (const sample of images) for (const i of indices(sample)) counts[i] = (counts[i] ?? 0) + 1;
    return Object.fromEntries(names.map((name, i) => [name, counts[i] ?? 0] as const).filter(([, n]) => n > 0));
  };
  const scores = images.map(({ mos }) => mos).filter(Number.isFinite);
  const extent = (pick: (a: number, b: number) => number) => scores.reduce((a, b) => pick(a, b));
  return {
    images: images.length,
    splits: splits.length,
    train: first?.train.length ?? 0,
    val: first?.val.length ?? 0,
    test: first?.test.length ?? 0,
    mos:
      scores.length === 0
        ? null
        : { low: extent(Math.min), high: extent(Math.max), mean: extent((a, b) => a + b) / scores.length },
    distortions: tally(Object.keys(tables.distortions), ({ distortion }) => (distortion === null ? [] : [distortion])),
    scenes: tally(tables.scenes, (sample) => sample.scenes),
  };
}

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
    `${plural(onlyListed, "image")} of its lists are not in its _all.txt, ` +
    `${plural(onlyPublished, "image")} of that file in none of its lists`;
  return [...differing, findingOf(database, "count", "warning", what)];
}

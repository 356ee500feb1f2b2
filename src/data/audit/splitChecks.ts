import { plural } from "../../base/text.js";
import type { LabelTables } from "../../model/prompts/labels.js";
import { contentOf } from "../databases/content.js";
import type { PublishedScore } from "../lists/deviations.js";
import type { Sample } from "../sample.js";
import { type Subset, SUBSETS } from "../sample.js";
import type { Finding } from "./findings.js";
import { findingAt, findingOf, findOverlaps, type SplitSamples } from "./sampleChecks.js";
import { findWrongDirection } from "./scoreDirection.js";

/** What is wrong with one split's lists together: shared images and contents, scores the wrong way round, labels. */
export function checkSplit(
  database: string,
  split: SplitSamples,
  published: ReadonlyMap<string, PublishedScore>,
  tables: LabelTables,
): Finding[] {
  const byList = new Map<string, Sample[]>();
  for (const sample of [...split.train, ...split.val, ...split.test]) {
    const samples = byList.get(sample.list);
    if (samples === undefined) byList.set(sample.list, [sample]);
    else samples.push(sample);
  }
  return [
    ...findOverlaps(split),
    ...findSharedContents(split),
    ...[...byList].flatMap(([list, samples]) => findWrongDirection(database, { list, samples }, published)),
    ...findUntrained(database, split, tables),
  ];
}

/** The photograph that an image is a version of, where the config or its path tells; null where neither does. */
export function knownContent(sample: Sample): string | null {
  return sample.content ?? contentOf(sample.database, sample.image);
}

/**
 * Photographs whose versions stand in two of a split's lists: what is tested has then been trained on. One finding a
 * photograph and list, at its first image there.
 */
export function findSharedContents(split: SplitSamples): Finding[] {
  const firstIn = new Map<string, { readonly subset: Subset; readonly sample: Sample }>();
  const findings: Finding[] = [];
  for (const subset of SUBSETS) {
    const seenHere = new Set<string>();
    for (const sample of split[subset]) {
      const content = knownContent(sample);
      if (content === null || seenHere.has(content)) continue;
      seenHere.add(content);
      const first = firstIn.get(content);
      if (first === undefined) firstIn.set(content, { subset, sample });
      else if (first.sample.image !== sample.image) {
        const there = `${first.sample.list}:${first.sample.line} (${first.sample.image})`;
        const what = `is of the content "${content}", and so is ${there}, in ${first.subset}; keep a content in one list`;
        findings.push(findingAt(sample, "content", "error", what));
      }
    }
  }
  return findings;
}

/** One label on a larger share of the images than this is said: an accuracy of as much is then worth nothing. */
const LARGE_SHARE = 0.8;

type IndicesOf = (sample: Sample) => readonly number[];

const DISTORTION: IndicesOf = ({ distortion }) => (distortion === null ? [] : [distortion]);
const SCENES: IndicesOf = ({ scenes }) => scenes;

/** Labels that no image has, and a label that nearly all have: notes about a database's images, each once. */
export function findSkew(database: string, images: readonly Sample[], tables: LabelTables): Finding[] {
  return [
    ...skewOf(database, "distortion", Object.keys(tables.distortions), images, DISTORTION),
    ...skewOf(database, "scene", tables.scenes, images, SCENES),
  ];
}

function skewOf(
  database: string,
  kind: string,
  names: readonly string[],
  images: readonly Sample[],
  indices: IndicesOf,
): Finding[] {
  const labelled = images.map(indices).filter((found) => found.length > 0);
  if (labelled.length === 0) return [];
  const counts = names.map((_, i) => labelled.filter((found) => found.includes(i)).length);
  const absent = names.filter((_, i) => counts[i] === 0);
  const most = Math.max(...counts);
  const note = (what: string) => findingOf(database, "skew", "note", what);
  const absence = note(`no image has the ${kind} ${absent.join(", ")}; nothing is learned or tested of it here`);
  const name = names[counts.indexOf(most)] ?? "";
  const share = note(
    `${most} of ${plural(labelled.length, "image")} with a ${kind} have "${name}"; an accuracy of as much says nothing`,
  );
  return [...(absent.length > 0 ? [absence] : []), ...(most > LARGE_SHARE * labelled.length ? [share] : [])];
}

/** Labels that a split validates or tests and has no image of to train on. */
export function findUntrained(database: string, split: SplitSamples, tables: LabelTables): Finding[] {
  if (split.train.length === 0) return [];
  return [
    { kind: "distortion", names: Object.keys(tables.distortions), indices: DISTORTION },
    { kind: "scene", names: tables.scenes, indices: SCENES },
  ].flatMap(({ kind, names, indices }) => {
    const trained = new Set(split.train.flatMap(indices));
    if (trained.size === 0) return []; // no labels of this kind to learn from at all: said elsewhere
    const tested = new Set([...split.val, ...split.test].flatMap(indices));
    const untrained = names.filter((_, i) => tested.has(i) && !trained.has(i));
    if (untrained.length === 0) return [];
    const list = split.train[0]?.list ?? null;
    const what = `the ${kind} ${untrained.join(", ")} is tested and has no image to train on`;
    return [{ ...findingOf(database, "skew", "warning", what), list, message: `${list ?? database}: ${what}` }];
  });
}

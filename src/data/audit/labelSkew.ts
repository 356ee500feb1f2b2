import { count } from "../../base/text.js";
import type { LabelTables } from "../../model/prompts/labels.js";
import type { Sample } from "../sample.js";
import type { Finding } from "./findings.js";
import { findingOf, type SplitSamples } from "./sampleChecks.js";

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
    `${most} of ${count(labelled.length, "image")} with a ${kind} have "${name}"; an accuracy of as much says nothing`,
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

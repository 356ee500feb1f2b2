import { didYouMean } from "../../base/text.js";
import type { LabelTables } from "../../model/prompts/labels.js";

/** A label of a list: an index into its table, null where it is missing, or what is wrong with it. */
export type ReadLabel = { readonly index: number | null } | { readonly problem: string };

export interface LabelReader {
  /** A distortion's class or one of its types. */
  distortion(text: string): ReadLabel;
  scene(text: string): ReadLabel;
}

/** How lists write that a label is missing. */
const MISSING = new Set(["", "invalid"]);

/** Reads the labels of lists by the tables of one prompt grid. */
export function createLabelReader(tables: LabelTables): LabelReader {
  const scenes = new Map(tables.scenes.map((scene, i) => [scene, i]));
  const distortions = new Map<string, number>();
  Object.entries(tables.distortions).forEach(([name, types], i) => {
    for (const type of [name, ...types]) if (!distortions.has(type)) distortions.set(type, i);
  });
  const read = (kind: string, table: ReadonlyMap<string, number>) => (text: string) => {
    if (MISSING.has(text)) return { index: null };
    const index = table.get(text);
    if (index !== undefined) return { index };
    const hint = didYouMean(text, [...table.keys()]);
    return { problem: `there is no ${kind} "${text}"${hint === "" ? '; "invalid" says that it is not known' : hint}` };
  };
  return { distortion: read("distortion", distortions), scene: read("scene", scenes) };
}

/** Class of a distortion's type; null where the tables do not have it. */
export function distortionClasses(tables: LabelTables): (type: string) => number | null {
  const reader = createLabelReader(tables);
  return (type) => {
    const label = reader.distortion(type);
    return "index" in label ? label.index : null;
  };
}

import { knownDatabase } from "../../data/databases/registry.js";

/** Figures of LIQE for a database; undefined where the paper has none. */
export function publishedFigures(database: string): { readonly srcc: number; readonly plcc: number } | undefined {
  return knownDatabase(database)?.published;
}

/** Published SRCC of a model trained on some databases and tested on another; undefined where there is none. */
export function publishedAcross(trainedOn: readonly string[], testedOn: string): number | undefined {
  const [name = "", ...others] = trainedOn;
  const figures = knownDatabase(testedOn)?.publishedAcross ?? {};
  return others.length === 0 && Object.hasOwn(figures, name) ? figures[name] : undefined;
}

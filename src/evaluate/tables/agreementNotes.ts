/** Lines below the benchmark table: agreement inside groups, and of whole distributions. */
import { plural, wrapText } from "../../base/text.js";
import type { DatabaseResults } from "../results/databaseResults.js";
import type { Results } from "../results/results.js";
import { fixed } from "./benchmarkTable.js";

/** Lines of all databases that have groups, or predicted and subjective distributions; empty where none has. */
export function agreementNotes({ databases }: Pick<Results, "databases">): string {
  return databases.flatMap((one) => [...withinNotes(one), ...distributionNotes(one)]).map((line) => `${wrapText(line)}\n`).join(""); // prettier-ignore
}

/** Notes on correlations within contents and scenes, where there are several of either. */
function withinNotes(database: DatabaseResults): string[] {
  return (["content", "scene"] as const).flatMap((kind) => {
    const { groups, srcc, plcc, krcc } = database.within[kind];
    if (groups < 2 || srcc.mean === null) return [];
    const text = (title: string, one: (typeof database.within)["content"]["srcc"]) => (one.mean === null ? [] : [`${title} ${fixed(one.mean)} and ${fixed(one.median)}`]); // prettier-ignore
    const values = [...text("SRCC", srcc), ...text("PLCC", plcc), ...text("KRCC", krcc)].join(", ");
    return [`${database.name}: mean and median within ${groups} ${kind}s: ${values}`];
  });
}

function distributionNotes(database: DatabaseResults): string[] {
  const { distributions: found } = database;
  if (found.kl === null) return [];
  const { images, kl, wasserstein, calibration } = found;
  const values = `KL ${fixed(kl)}, Wasserstein ${fixed(wasserstein)} levels, calibration error ${fixed(calibration)}`;
  return [`${database.name}: predicted against subjective distributions of ${plural(images, "image")}: ${values}`];
}

import type { LabelTables } from "../../model/prompts/labels.js";
import type { DataConfig } from "../config.js";
import { layOut } from "../layout.js";
import { readPublishedScores } from "../lists/deviations.js";
import type { Database } from "../sample.js";
import { compareWithPublished } from "./againstPublished.js";
import type { Finding } from "./findings.js";
import { checkImagesOf } from "./sampleChecks.js";
import { checkSplit } from "./splitChecks.js";

/** What the lists of one split show within seconds, without an image: the part of `data check` before a training run. */
export async function auditDatabases(
  databases: readonly Database[],
  config: Pick<DataConfig, "root" | "databases">,
  split: number,
  tables: LabelTables,
): Promise<Finding[]> {
  const findings: Finding[] = [];
  for (const { name, train, val, test } of databases) {
    const settings = config.databases.find((database) => database.name === name);
    if (settings === undefined) throw new Error(`internal: auditDatabases: ${name} is not in the config`);
    const published = await readPublishedScores(layOut(settings, config.root, split).deviations);
    const images = [...train, ...val, ...test];
    findings.push(
      ...checkSplit(name, { train, val, test }, published, tables),
      ...checkImagesOf(name, images, tables),
      ...compareWithPublished(name, images, published),
    );
  }
  return findings;
}

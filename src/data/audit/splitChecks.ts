import type { LabelTables } from "../../model/prompts/labels.js";
import type { PublishedScore } from "../lists/deviations.js";
import type { Sample } from "../sample.js";
import type { Finding } from "./findings.js";
import { findUntrained } from "./labelSkew.js";
import { findOverlaps, type SplitSamples } from "./sampleChecks.js";
import { findWrongPolarity } from "./scoreDirection.js";
import { findSharedContents } from "./sharedContents.js";

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
    ...[...byList].flatMap(([list, samples]) => findWrongPolarity(database, { list, samples }, published)),
    ...findUntrained(database, split, tables),
  ];
}

import { contentOf } from "../databases/content.js";
import { type Sample, type Subset, SUBSETS } from "../sample.js";
import type { Finding } from "./findings.js";
import { findingAt, type SplitSamples } from "./sampleChecks.js";

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

import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { presetArchitecture } from "../../../src/model/architecture/presets.js";
import { promptGrid } from "../../../src/model/prompts/promptGrid.js";
import { gridTree, promptTree, type PromptTree } from "../../../src/model/text/promptTree.js";
import { tokenize } from "../../../src/model/text/tokenizer.js";

const { text: TEXT } = presetArchitecture("vit-b-32");

const publishedPrompts = () => promptGrid().prompts.map((prompt) => tokenize(prompt));

/** The published grid's tree as it is, and cut into other branches: none, and each scene's. */
const CUTS: Readonly<Record<string, number | undefined>> = {
  "the cheapest cut": undefined,
  "no branch": 0,
  scenes: 250,
};

/** The rows that a row sees, in the order of the tree, itself the last. */
function rowsSeenBy({ trunk, groupSize, trunkSees, groupSees }: PromptTree, row: number): number[] {
  const isTrunk = row < trunk;
  const width = isTrunk ? trunk : trunk + groupSize;
  const start = (isTrunk ? row : row - trunk) * width;
  const group = Math.floor((row - trunk) / groupSize);
  const seen = (isTrunk ? trunkSees : groupSees).subarray(start, start + width);
  return [...seen].flatMap((sees, at) => (sees ? [at < trunk ? at : at + group * groupSize] : []));
}

describe("promptTree", () => {
  it("counts 2,203 distinct beginnings in the published grid", () => {
    expect(promptTree(publishedPrompts()).nodes).toBe(2203);
  });

  it.each([
    [true, 2338],
    [false, 10_406],
  ])("has the rows that docs/beyond-the-paper.md says with context vectors, shared: %s, %i", (isShared, rows) => {
    const tree = gridTree(promptGrid(), TEXT, { context: { vectors: 4, isShared } });
    expect(tree.tokens).toHaveLength(rows);
    const docs = readFileSync(new URL("../../../docs/beyond-the-paper.md", import.meta.url), "utf8");
    expect(docs).toContain(rows.toLocaleString("en-US"));
  });

  it("cuts the published grid below its scenes, into groups of little padding", () => {
    const { trunk, groups, groupSize, nodes } = promptTree(publishedPrompts());
    expect(trunk).toBeGreaterThan(5 + 9); // what all share, and a row of each scene at least
    expect(trunk).toBeLessThan(100);
    expect(groupSize).toBeLessThan(50);
    expect(groupSize * groups - (nodes - trunk)).toBeLessThan(0.08 * nodes);
  });

  it.each(Object.entries(CUTS))("leads from every end token back to its whole prompt: %s", (_, branchSize) => {
    const prompts = publishedPrompts();
    const tree = promptTree(prompts, branchSize);
    const told = [...tree.ends].map((end) =>
      rowsSeenBy(tree, end).map((row) => tree.usedTokens[tree.tokens[row] ?? NaN]),
    );
    expect(told).toEqual(prompts);
  });

  it.each(Object.entries(CUTS))("puts each row at the place of its token in the prompt: %s", (_, branchSize) => {
    const tree = promptTree(publishedPrompts(), branchSize);
    const seen = [...tree.ends].flatMap((end) =>
      rowsSeenBy(tree, end).map((row, place) => [tree.positions[row], place]),
    );
    expect(seen.filter(([position, place]) => position !== place)).toEqual([]);
  });

  it("lets padding rows see themselves alone", () => {
    const tree = promptTree([[9, 1, 2, 3, 8], ...[5, 6].map((token) => [9, token, 8])], 4);
    const { trunk, groups, groupSize, nodes } = tree;
    expect({ trunk, groups, groupSize, nodes }).toEqual({ trunk: 1, groups: 2, groupSize: 4, nodes: 9 });
    const uneven = promptTree(
      [
        [9, 1, 2, 3, 8],
        [9, 5, 8],
      ],
      4,
    ); // the second group lacks two rows
    expect([7, 8].map((row) => rowsSeenBy(uneven, row))).toEqual([[7], [8]]);
  });

  it("packs branches of uneven size into groups of the largest", () => {
    const long = [9, 1, 2, 3, 4, 8];
    const short = [5, 6, 7].map((token) => [9, token, 8]);
    const { groups, groupSize, nodes } = promptTree([long, ...short], 5);
    expect({ groups, groupSize, nodes }).toEqual({ groups: 3, groupSize: 5, nodes: 12 });
  });

  it("cuts branches no larger than it is told", () => {
    const { trunk, groups, groupSize } = promptTree(publishedPrompts(), 100);
    expect({ trunk: trunk > 9, groups: groups > 9, groupSize: groupSize <= 100 }).toEqual({
      trunk: true,
      groups: true,
      groupSize: true,
    });
  });

  it("is all trunk where groups would not pay: a single prompt", () => {
    const { trunk, groups, groupSize } = promptTree([[9, 1, 8]]);
    expect({ trunk, groups, groupSize }).toEqual({ trunk: 3, groups: 0, groupSize: 0 });
  });
});

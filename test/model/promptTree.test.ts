import { describe, expect, it } from "vitest";
import { promptGrid } from "../../src/model/promptGrid.js";
import { promptTree } from "../../src/model/promptTree.js";
import { tokenize } from "../../src/model/tokenizer.js";

const publishedPrompts = () => promptGrid().prompts.map((prompt) => tokenize(prompt));

describe("promptTree", () => {
  it("counts 2,203 distinct beginnings in the published grid, a stem of 5 and 9 groups", () => {
    const { nodes, stem, groups, groupSize } = promptTree(publishedPrompts());
    expect({ nodes, stem, groups }).toEqual({ nodes: 2203, stem: 5, groups: 9 });
    expect(groupSize * groups - (nodes - stem)).toBeLessThan(0.05 * nodes); // little padding
  });

  it("leads from every end token back to its whole prompt", () => {
    const prompts = publishedPrompts();
    const tree = promptTree(prompts);
    const pathTo = (end: number): number[] => {
      if (end < tree.stem) return Array.from(tree.tokens.subarray(0, end + 1));
      const group = Math.floor((end - tree.stem) / tree.groupSize);
      const first = tree.stem + group * tree.groupSize;
      const row = end - first;
      const seen = tree.sees.subarray((group * tree.groupSize + row) * tree.groupSize).slice(0, tree.groupSize);
      const ancestors = [...seen].flatMap((sees, i) => (sees ? [first + i] : []));
      return [...tree.tokens.subarray(0, tree.stem), ...ancestors.map((at) => tree.tokens[at] ?? NaN)];
    };
    const told = [...tree.ends].map((end) => pathTo(end).map((token) => tree.usedTokens[token]));
    expect(told).toEqual(prompts);
  });

  it("puts each row at the place of its token in the prompt", () => {
    const tree = promptTree([
      [9, 1, 2, 8],
      [9, 1, 3, 4, 8],
    ]);
    expect([...tree.ends].map((end) => tree.positions[end])).toEqual([3, 4]);
    expect([...tree.positions.subarray(0, tree.stem)]).toEqual([0, 1]);
  });

  it("packs branches of uneven size into groups of the largest", () => {
    const long = [9, 1, 2, 3, 4, 8];
    const short = [5, 6, 7].map((token) => [9, token, 8]);
    const { groups, groupSize, nodes } = promptTree([long, ...short]);
    expect({ groups, groupSize, nodes }).toEqual({ groups: 3, groupSize: 5, nodes: 12 });
  });

  it("is all stem for a single prompt", () => {
    const { stem, groups, groupSize } = promptTree([[9, 1, 8]]);
    expect({ stem, groups, groupSize }).toEqual({ stem: 3, groups: 0, groupSize: 0 });
  });
});

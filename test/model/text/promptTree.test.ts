import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { presetArchitecture } from "../../../src/model/architecture/presets.js";
import { PUBLISHED_LABELS } from "../../../src/model/prompts/labels.js";
import { promptGrid } from "../../../src/model/prompts/promptGrid.js";
import { gridTree, leadingTokens, promptTree, type PromptTree } from "../../../src/model/text/promptTree.js";
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
    expect([trunk, groups, groupSize]).toEqual([61, 99, 23]); // by the costs of `cheapestCut`
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

  it("has these rows for a few prompts, with and without branches", () => {
    const prompts = [
      [9, 1, 2, 8],
      [9, 1, 3, 8],
      [9, 4, 8],
    ];
    const drawn = (tree: PromptTree) => {
      const { tokens, positions, ends, trunkSees, groupSees, ...others } = tree;
      const rows = [...tokens].map(
        (token, row) =>
          `${row}: token ${tree.usedTokens[token] ?? "?"} at ${positions[row]}, sees ${rowsSeenBy(tree, row).join(" ")}`,
      );
      const sizes = `masks ${trunkSees.length} ${groupSees.length}; ends ${ends.join(" ")}; ${JSON.stringify(others)}`;
      return `\n${[...rows, sizes].join("\n")}\n`;
    };
    expect(drawn(promptTree(prompts, 2))).toMatchInlineSnapshot(`
      "
      0: token 9 at 0, sees 0
      1: token 1 at 1, sees 0 1
      2: token 2 at 2, sees 0 1 2
      3: token 8 at 3, sees 0 1 2 3
      4: token 3 at 2, sees 0 1 4
      5: token 8 at 3, sees 0 1 4 5
      6: token 4 at 1, sees 0 6
      7: token 8 at 2, sees 0 6 7
      masks 4 24; ends 3 5 7; {"trunk":2,"groups":3,"groupSize":2,"usedTokens":[1,2,3,4,8,9],"contextRows":0,"nodes":8}
      "
    `);
    expect(drawn(promptTree(prompts, 5))).toMatchInlineSnapshot(`
      "
      0: token 9 at 0, sees 0
      1: token 1 at 1, sees 0 1
      2: token 2 at 2, sees 0 1 2
      3: token 8 at 3, sees 0 1 2 3
      4: token 3 at 2, sees 0 1 4
      5: token 8 at 3, sees 0 1 4 5
      6: token 4 at 1, sees 0 6
      7: token 8 at 2, sees 0 6 7
      8: token 1 at 0, sees 8
      9: token 1 at 0, sees 9
      10: token 1 at 0, sees 10
      masks 1 60; ends 3 5 7; {"trunk":1,"groups":2,"groupSize":5,"usedTokens":[1,2,3,4,8,9],"contextRows":0,"nodes":8}
      "
    `);
    expect(drawn(promptTree(prompts))).toMatchInlineSnapshot(`
      "
      0: token 9 at 0, sees 0
      1: token 1 at 1, sees 0 1
      2: token 2 at 2, sees 0 1 2
      3: token 8 at 3, sees 0 1 2 3
      4: token 3 at 2, sees 0 1 4
      5: token 8 at 3, sees 0 1 4 5
      6: token 4 at 1, sees 0 6
      7: token 8 at 2, sees 0 6 7
      masks 64 0; ends 3 5 7; {"trunk":8,"groups":0,"groupSize":0,"usedTokens":[1,2,3,4,8,9],"contextRows":0,"nodes":8}
      "
    `);
  });

  it("refuses prompts that begin unlike, or none", () => {
    const message = "internal: promptTree: prompts must share their start token";
    expect(() => promptTree([[1], [2]])).toThrow(message);
    expect(() => promptTree([])).toThrow(message);
  });
});

describe("leadingTokens", () => {
  it.each([
    ["a photo of a {scene} of {quality} quality", "a photo of a"],
    ["a photo, x{quality}", "a photo,"],
    ["{quality}", ""],
  ])("are those of whole words before the first placeholder: %s", (template, words) => {
    expect(leadingTokens({ template }, 77)).toEqual(tokenize(words).slice(1, -1));
  });
});

describe("gridTree", () => {
  const grid = promptGrid("a photo of {quality} quality", { ...PUBLISHED_LABELS, qualities: ["bad", "good"] });
  const whole = (lengths: readonly number[]) => {
    let call = 0;
    return { tokenize: () => Array.from({ length: lengths[call++] ?? 0 }, (_, i) => 7 - i), files: new Map() };
  };

  it("has context vectors in place of as many of the leading words, each prompt its own or one for all", () => {
    const rows = (vectors: number, isShared: boolean) => {
      const tree = gridTree(grid, TEXT, { context: { vectors, isShared } });
      const told = [...tree.ends].map((end) =>
        rowsSeenBy(tree, end).map((row) => {
          const index = tree.tokens[row] ?? NaN;
          return index < tree.usedTokens.length ? tree.usedTokens[index] : `v${index - tree.usedTokens.length}`;
        }),
      );
      return [tree.contextRows, ...told];
    };
    const [bad, good] = ["bad", "good"].map((word) => tokenize(`a photo of ${word} quality`).slice(4));
    const [start = NaN, a = NaN, photo = NaN, of = NaN] = tokenize("a photo of");
    expect(rows(2, true)).toEqual([
      2,
      [start, "v0", "v1", of, ...(bad ?? [])],
      [start, "v0", "v1", of, ...(good ?? [])],
    ]);
    expect(rows(1, false)).toEqual([
      2,
      [start, "v0", photo, of, ...(bad ?? [])],
      [start, "v1", photo, of, ...(good ?? [])],
    ]);
    expect(rows(4, true)[1]).toEqual([start, "v0", "v1", "v2", "v3", ...(bad ?? [])]);
    expect(a).toBe(tokenize("a")[1]);
  });

  it("refuses context vectors that a prompt has no room for, or those of a SigLIP", () => {
    const length = tokenize("a photo of good quality").length; // with three words replaced by as many vectors
    const tree = (vectors: number) =>
      gridTree(grid, { contextLength: length }, { context: { vectors, isShared: true } });
    expect(tree(3).contextRows).toBe(3);
    expect(() => tree(4)).toThrow(
      `gridTree: "a photo of bad quality" has ${length + 1} tokens with 4 context vectors, the text tower takes ` +
        `${length}; lower train.prompts.vectors, or shorten the template`,
    );
    const siglip = { kind: "siglip", contextLength: 2 } as const;
    expect(() => gridTree(grid, siglip, { tokenizer: whole([2, 2]), context: { vectors: 1, isShared: true } })).toThrow(
      "train.tune: prompts: context vectors of a SigLIP are not learned; tune it another way",
    );
    expect(() => gridTree(grid, siglip)).toThrow("internal: gridTree: a SigLIP without its tokenizer");
  });

  it("encodes a SigLIP's prompts whole, and needs them of one length", () => {
    const siglip = { kind: "siglip", contextLength: 2 } as const;
    const { trunkSees, groupSees, tokens, positions, ends, ...others } = gridTree(grid, siglip, { tokenizer: whole([2, 2]) }); // prettier-ignore
    expect([trunkSees, groupSees].map(({ length }) => length)).toEqual([0, 0]);
    expect([tokens, positions, ends].map((of) => [...of])).toEqual([
      [1, 0, 1, 0],
      [0, 1, 0, 1],
      [1, 3],
    ]);
    expect(others).toEqual({ trunk: 0, groups: 2, groupSize: 2, usedTokens: [6, 7], contextRows: 0, nodes: 4 });
    const message = "internal: wholePrompts: prompts must be padded to one length";
    expect(() => gridTree(grid, siglip, { tokenizer: whole([2, 1]) })).toThrow(message);
    expect(() => gridTree(grid, siglip, { tokenizer: whole([0, 0]) })).toThrow(message);
  });
});

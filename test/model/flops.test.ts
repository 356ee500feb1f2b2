import { describe, expect, it } from "vitest";
import type { VitArchitecture } from "../../src/model/architecture/architecture.js";
import { presetArchitecture } from "../../src/model/architecture/presets.js";
import { imageFlops, promptFlops } from "../../src/model/flops.js";
import { PUBLISHED_LABELS } from "../../src/model/prompts/labels.js";
import { promptGrid } from "../../src/model/prompts/promptGrid.js";
import { gridTree, promptTree } from "../../src/model/text/promptTree.js";
import { tokenize } from "../../src/model/text/tokenizer.js";

const BASE = presetArchitecture("vit-b-32");

/** Four tokens and the class token, width 8, and a text tower of width 4. */
const TINY: VitArchitecture = {
  vision: { width: 8, layers: 2, heads: 1, activation: "quick-gelu", imageSize: 4, patchSize: 2, stem: "patch" },
  text: { width: 4, layers: 1, heads: 1, activation: "quick-gelu", contextLength: 8, vocabulary: 10 },
  embedding: 3,
};

describe("imageFlops", () => {
  it("is what a hand counts for a tiny tower", () => {
    const patches = 2 * 4 * (2 * 2 * 3) * 8; // 4 patches of 12 numbers to width 8
    const looking = 2 * 5 * 8 * (3 * 8); // queries, keys and values of 5 tokens
    const rest = 2 * 8 * (8 + 4 * 8 + 4 * 8); // of one token: output, up, down (as long)
    const attention = 2 * (2 * 5 * 5 * 8); // scores, then sums of values
    const projection = 2 * 8 * 3; // the class token alone
    expect(imageFlops(TINY)).toBe(patches + 2 * (looking + attention) + (5 + 1) * rest + projection);
  });

  it("counts each level of a stem of small patches", () => {
    const stem = [
      { stride: 2, width: 5 },
      { stride: 1, width: 8 },
    ];
    const levels = 2 * 4 * 12 * 5 + 2 * 4 * 5 * 8;
    const patches = 2 * 4 * 12 * 8;
    expect(imageFlops({ ...TINY, vision: { ...TINY.vision, stem } }) - imageFlops(TINY)).toBe(levels - patches);
  });

  it("counts a ResNet's convolutions at their own sides, shortcuts among them, and its attention pooling", () => {
    const vision = { kind: "resnet", imageSize: 32, width: 2, stages: [1, 1, 1, 1], heads: 1 } as const;
    const stem = 16 * 16 * (27 + 9 + 18); // 3 to 1, 1 to 1, 1 to 2 channels
    const stages = [
      8 * 8 * (2 * 2 + 9 * 2 * 2 + 2 * 8 + 2 * 8),
      8 * 8 * (8 * 4 + 9 * 4 * 4) + 4 * 4 * (4 * 16 + 8 * 16),
      4 * 4 * (16 * 8 + 9 * 8 * 8) + 2 * 2 * (8 * 32 + 16 * 32),
      2 * 2 * (32 * 16 + 9 * 16 * 16) + 16 * 64 + 32 * 64,
    ];
    const pool = 5 * 64 * 64 + 64 * TINY.embedding + 2 * 64 * 2; // one query, two keys and values
    const products = stem + stages.reduce((sum, stage) => sum + stage, 0) + pool;
    expect(imageFlops({ ...TINY, vision })).toBe(2 * products);
  });

  it("counts SigLIP's last block for all tokens, and its query's attention without keys and values of them", () => {
    const vision = { ...TINY.vision, kind: "siglip" } as const;
    const patches = 2 * 4 * (2 * 2 * 3) * 8;
    const block = 2 * 4 * 8 * (3 * 8 + 8 + 4 * 8 + 4 * 8) + 2 * (2 * 4 * 4 * 8);
    const pooling = 2 * 2 * 4 * 8 * 1 + 2 * 8 * (8 + 8 + 4 * 8 + 4 * 8); // one head; values', output's, up, down
    expect(imageFlops({ ...TINY, vision })).toBe(patches + 2 * block + pooling);
  });

  it("is 8.3 GFLOP for a crop of ViT-B/32, with the last block's rest for the class token alone", () => {
    expect(imageFlops(BASE) / 1e9).toBeCloseTo(8.3, 1);
  });
});

describe("promptFlops", () => {
  it("is what a hand counts for a trunk of one token and two branches of one", () => {
    const tree = promptTree(
      [
        [0, 1],
        [0, 2],
      ],
      1,
    );
    expect([tree.trunk, tree.groups, tree.groupSize]).toEqual([1, 2, 1]);
    const embed = 2 * 3 * (3 + 2) * 4; // 3 rows: 3 tokens and 2 places to select from
    const linear = 2 * 4 * (3 * 12 + 2 * (4 + 16 + 16)); // one block: 2 rows are read
    const attention = 2 * 2 * 4 * (1 * 1 + 2 * 2); // the trunk sees itself; 2 rows see the trunk and themselves
    const projection = 2 * 2 * 4 * 3;
    expect(promptFlops(TINY, tree)).toBe(embed + linear + attention + projection);
  });

  it("is what a hand counts for prompts that are encoded whole", () => {
    const tokenizer = { tokenize: (text: string) => [text.length, 1, 1], files: new Map() };
    const grid = promptGrid("{quality}", { ...PUBLISHED_LABELS, qualities: ["bad", "fair"] });
    const tree = gridTree(grid, { kind: "siglip", contextLength: 3 }, { tokenizer });
    expect(tree).toMatchObject({ trunk: 0, groups: 2, groupSize: 3, nodes: 6, usedTokens: [1, 3, 4] });
    expect([tree.tokens, tree.positions, tree.ends]).toEqual([[1, 0, 0, 2, 0, 0], [0, 1, 2, 0, 1, 2], [2, 5]].map((of) => Int32Array.from(of))); // prettier-ignore
    const embed = 2 * 6 * (3 + 3) * 4;
    const linear = 2 * 4 * (6 * 12 + 2 * (4 + 16 + 16));
    const attention = 2 * 2 * 4 * (6 * 3); // each row sees its prompt
    expect(promptFlops(TINY, tree)).toBe(embed + linear + attention + 2 * 2 * 4 * 3);
  });

  it("is 0.16 to 0.175 TFLOP for the published tree, against 2.95 for every state of its 495 prompts padded to 77 tokens", () => {
    const tokens = promptGrid().prompts.map((prompt) => tokenize(prompt, BASE.text.contextLength));
    const teraflops = promptFlops(BASE, promptTree(tokens)) / 1e12;
    expect(teraflops).toBeGreaterThan(0.16);
    expect(teraflops).toBeLessThan(0.175);
    const ids = Array.from({ length: BASE.text.contextLength }, (_, i) => i);
    const padded = promptTree(ids.map((last) => ids.slice(0, last + 1)));
    expect((tokens.length * promptFlops(BASE, padded)) / 1e12).toBeCloseTo(2.95, 1);
  });
});

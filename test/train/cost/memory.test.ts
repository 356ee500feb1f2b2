import { describe, expect, it } from "vitest";
import { presetArchitecture } from "../../../src/model/architecture/presets.js";
import { TrainConfig } from "../../../src/train/config.js";
import { gridTree } from "../../../src/model/text/promptTree.js";
import { promptGrid } from "../../../src/model/prompts/promptGrid.js";
import {
  bytesOfPrompts,
  bytesPerCrop,
  chooseMemory,
  type MemoryChoice,
  type MemoryConfig,
  stepBytes,
} from "../../../src/train/cost/memory.js";

const AUTO: MemoryConfig = TrainConfig.parse({});
const BASE = presetArchitecture("vit-b-32");
const TREE = gridTree(promptGrid(), BASE.text);
const MACHINE = 24e9;

const crop = bytesPerCrop(BASE, "activations");
const prompts = bytesOfPrompts(BASE, TREE, "activations");
const promptsAgain = bytesOfPrompts(BASE, TREE, "inputs");

function choose(config: Partial<MemoryConfig>, crops = 36): MemoryChoice {
  return chooseMemory({ ...AUTO, ...config }, { architecture: BASE, tree: TREE, crops }, MACHINE);
}

/** With room for `bytes` of activations and not a byte more. */
const within = (bytes: number, config: Partial<MemoryConfig> = {}) =>
  choose({ ...config, memoryBudgetGB: bytes / 1e9 });

describe("chooseMemory", () => {
  it("keeps everything where it fits half of the machine, and writes down what that is", () => {
    expect(choose({})).toEqual({ memoryBudgetGB: 12, microBatch: 36, recompute: "never" });
    expect(within(prompts + 36 * crop)).toMatchObject({ microBatch: 36, recompute: "never" });
  });

  it("recomputes the prompts before it cuts the crops", () => {
    expect(within(prompts + 36 * crop - 1e6)).toMatchObject({ microBatch: 36, recompute: "text" });
    expect(within(promptsAgain + 36 * crop)).toMatchObject({ microBatch: 36, recompute: "text" });
  });

  it("cuts the crops in pieces as large as fit, the prompts kept where they fit by themselves", () => {
    for (const [bytes, recompute] of [
      [prompts + 1e6, "never"],
      [prompts - 1e6, "text"],
    ] as const) {
      const choice = choose({ memoryBudgetGB: bytes / 1e9 }, 144);
      expect(choice).toMatchObject({ microBatch: Math.floor(bytes / crop), recompute });
      expect(choice.microBatch).toBeLessThan(144);
    }
  });

  it("recomputes both towers, crop by crop, where nothing else fits", () => {
    expect(within(1e6)).toMatchObject({ microBatch: 1, recompute: "always" });
  });

  it("counts no encoder for a probe, and the longer prompts of contexts of their own", () => {
    expect(within(5e6, { tune: "probe" })).toMatchObject({ microBatch: 36, recompute: "never" });
    const tune = { ...AUTO, tune: "prompts" as const };
    const own = gridTree(promptGrid(), BASE.text, { context: { vectors: 4, isShared: false } });
    const bytes = (tree: typeof TREE) => stepBytes(tune, { architecture: BASE, tree, crops: 36 }, "never", 36);
    expect(bytes(TREE)).toBe(prompts + 36 * crop);
    expect(bytes(own) - 36 * crop).toBeGreaterThan(3 * prompts);
  });

  it("leaves a frozen text tower out of the sum", () => {
    expect(within(36 * crop, { freeze: ["text"] })).toMatchObject({ microBatch: 36, recompute: "never" });
  });

  it("counts SigLIP's tokens without a class token, and its last block and pooling for all of them", () => {
    const { vision } = BASE;
    if (vision.kind !== undefined) throw new Error("test: not a vision transformer");
    const siglip = { ...BASE, vision: { ...vision, kind: "siglip", imageSize: 256 } } as const; // 64 tokens
    const other = { ...BASE, vision: { ...siglip.vision, layers: vision.layers - 1 } } as const;
    const block = 4 * (11 * 64 * 768 + 2 * 12 * 64 ** 2);
    const passing = 4 * ((20 + 35) * 64 * 768 + 4 * 12 * 64 ** 2);
    expect(bytesPerCrop(siglip, "activations") - bytesPerCrop(other, "activations")).toBe(block);
    expect(bytesPerCrop(siglip, "activations")).toBe(vision.layers * block + passing);
  });

  it("keeps what was given and chooses the rest", () => {
    expect(within(1e6, { microBatch: 7 })).toMatchObject({ microBatch: 7, recompute: "always" });
    expect(within(1e6, { recompute: "never" })).toMatchObject({ microBatch: 1, recompute: "never" });
    expect(choose({ recompute: "always" })).toMatchObject({ microBatch: 36, recompute: "always" });
    expect(choose({ microBatch: 7, recompute: "text" })).toMatchObject({ microBatch: 7, recompute: "text" });
    expect(choose({ microBatch: 99 }, 12)).toMatchObject({ microBatch: 99, recompute: "never" });
  });

  it("leaves recomputing both towers to crops in pieces, and takes all crops at once with it where it was asked for", () => {
    const bytes = promptsAgain + 36 * bytesPerCrop(BASE, "inputs"); // fits by `always`, by nothing else at once
    expect(within(bytes)).toMatchObject({ microBatch: Math.floor(bytes / crop), recompute: "text" });
    expect(within(bytes, { recompute: "always" })).toMatchObject({ microBatch: 36, recompute: "always" });
  });
});

describe("the memory of a step", () => {
  it.each([
    // Of a crop and of the prompts, activations kept and inputs alone
    ["vit-b-32", 26_707_200, 7_324_800, 902_520_192, 243_331_520],
    ["vit-l-14", 518_769_920, 83_259_776, 1_353_780_288, 364_997_280],
    ["vit-tiny", 16_024_320, 13_377_920, 38_560_160, 28_022_328],
    ["rn50x4", 308_966_400, 218_004_480, 1_128_150_240, 304_164_400],
  ] as const)("is these bytes for %s", (name, ...bytes) => {
    const architecture = presetArchitecture(name);
    const both = ["activations", "inputs"] as const;
    expect([
      ...both.map((keep) => bytesPerCrop(architecture, keep)),
      ...both.map((keep) => bytesOfPrompts(architecture, TREE, keep)),
    ]).toEqual(bytes);
  });

  it("is the sum of prompts and crops at once, and the larger of prompts and a piece", () => {
    const bytes = (train: object, way: "never" | "text" | "always", microBatch: number) =>
      stepBytes(TrainConfig.parse(train), { architecture: BASE, tree: TREE, crops: 36 }, way, microBatch);
    const again = bytesPerCrop(BASE, "inputs");
    expect([bytes({}, "never", 36), bytes({}, "never", 5)]).toEqual([prompts + 36 * crop, prompts]);
    expect([bytes({}, "text", 36), bytes({}, "text", 10)]).toEqual([promptsAgain + 36 * crop, 10 * crop]);
    expect([bytes({}, "always", 36), bytes({}, "always", 35)]).toEqual([promptsAgain + 36 * again, 35 * again]);
    expect(bytes({ freeze: ["text"] }, "never", 36)).toBe(36 * crop);
    // Rows of all prompts' words, or of the crops' 50 tokens, whichever are more; 12 numbers each, 36 with dropout
    const [words, tokens] = [(61 + 99 * 23) * 512, 50 * 768];
    expect(bytes({ tune: "lora" }, "never", 36)).toBe(prompts + 36 * crop + 4 * 12 * 36 * tokens);
    expect(bytes({ tune: "lora" }, "never", 5)).toBe(prompts + 4 * 12 * words);
    expect(bytes({ tune: "lora", lora: { dropout: 0.5 } }, "never", 5)).toBe(prompts + 4 * 36 * words);
    expect(bytes({ tune: "probe" }, "never", 36)).toBe(4 * 4 * (36 * 512 + 495 * 512 + 36 * 495));
  });
});

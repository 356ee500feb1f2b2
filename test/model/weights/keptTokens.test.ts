import { open } from "node:fs/promises";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { CheckpointError } from "../../../src/base/errors.js";
import { TOKEN_EMBEDDING } from "../../../src/model/parameters/parameters.js";
import { keepsFewTokens, keepTokens, requireTokens, withWholeTable } from "../../../src/model/weights/keptTokens.js";
import { readWeights } from "../../../src/model/weights/readWeights.js";
import { writeSafetensors } from "../../../src/model/weights/safetensors.js";
import { temporaryFolder } from "../../support/runs.js";

const VOCABULARY = 49_408;
const WIDTH = 2;
const TOKENS = [3, 320, 49_407];

const whole = new Map([
  ["logit_scale", { shape: [], values: Float32Array.of(3) }],
  [
    TOKEN_EMBEDDING,
    { shape: [VOCABULARY, WIDTH], values: Float32Array.from({ length: VOCABULARY * WIDTH }, (_, i) => i + 1) },
  ],
]);

describe("keptTokens", () => {
  const { weights, metadata } = keepTokens(whole, TOKENS);

  it("keeps the rows of the tokens alone, and reads them back where they stood", () => {
    expect(weights.get(TOKEN_EMBEDDING)?.shape).toEqual([TOKENS.length, WIDTH]);
    const table = withWholeTable("x", weights, metadata).get(TOKEN_EMBEDDING);
    expect(table?.shape).toEqual([VOCABULARY, WIDTH]);
    for (const token of TOKENS) {
      expect([...(table?.values.subarray(token * WIDTH, (token + 1) * WIDTH) ?? [])]).toEqual([
        2 * token + 1,
        2 * token + 2,
      ]);
    }
    const others = table?.values.filter((_, i) => !TOKENS.includes(Math.floor(i / WIDTH)));
    expect(others?.every((value) => value === 0)).toBe(true);
  });
  it("leaves a table without the entry as it is", () => {
    expect(withWholeTable("x", whole, {})).toBe(whole);
    expect(keepsFewTokens(whole)).toBe(false);
    expect(keepsFewTokens(withWholeTable("x", weights, metadata))).toBe(true);
  });
  it("is told from a table with some rows of zeros, as a padding's, whose prompts are not refused", () => {
    const table =
      whole
        .get(TOKEN_EMBEDDING)
        ?.values.slice()
        .fill(0, 0, 100 * WIDTH) ?? new Float32Array();
    const padded = new Map([...whole, [TOKEN_EMBEDDING, { shape: [VOCABULARY, WIDTH], values: table }]]);
    expect(keepsFewTokens(padded)).toBe(false);
    expect(() => {
      requireTokens("x", padded, [0, 320]);
    }).not.toThrow();
  });
  it("is read as a weight file too", async () => {
    const file = join(temporaryFolder(), "few.safetensors");
    const handle = await open(file, "w");
    await writeSafetensors(handle, weights, metadata);
    await handle.close();
    const read = await readWeights(file);
    expect(read.names.get(TOKEN_EMBEDDING)?.shape).toEqual([VOCABULARY, WIDTH]);
    const values = await read.read(TOKEN_EMBEDDING);
    await read.close();
    expect(values[320 * WIDTH]).toBe(641);
    expect(values[321 * WIDTH]).toBe(0);
  });
  it.each([
    ["3,320", "has 3 rows, and names 2 tokens"],
    ["3,3,320", "not distinct tokens"],
    ["3,320,49408", "not distinct tokens"],
    ["3,320,-1", "not distinct tokens"],
  ])("refuses the entry %s", (entry, message) => {
    const read = () => withWholeTable("few.safetensors", weights, { kept_tokens: entry });
    expect(read).toThrow(CheckpointError);
    expect(read).toThrow(message);
  });
  it("refuses rows so wide that the whole table would not fit into memory", () => {
    const wide = new Map([[TOKEN_EMBEDDING, { shape: [1, 10_000], values: new Float32Array(10_000) }]]);
    expect(() => withWholeTable("few.safetensors", wide, { kept_tokens: "3" })).toThrow("at most 8192 are read");
  });
  it("refuses prompts with tokens that were left out, and says how many", () => {
    const table = withWholeTable("x", weights, metadata);
    expect(() => {
      requireTokens("x", table, TOKENS);
    }).not.toThrow();
    expect(() => {
      requireTokens("liqe-small", table, [3, 4, 5, 320]);
    }).toThrow(/liqe-small: its text encoder keeps .* \(2 of 4 tokens are missing\)/);
  });
});

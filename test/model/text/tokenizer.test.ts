import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { END_TOKEN, START_TOKEN, tokenize } from "../../../src/model/text/tokenizer.js";
import { golden, goldenTensor } from "../../support/golden.js";

/** By scripts/reference/liqe_tiny_tokens.py. */
const REFERENCE = JSON.parse(readFileSync("test/fixtures/liqe-tiny/tokens.json", "utf8")) as {
  cases: { text: string; tokens: number[] }[]; // our own file
};

describe("tokenize", () => {
  it.each(REFERENCE.cases)("gives transformers' tokens of $text", ({ text, tokens }) => {
    expect(tokenize(text)).toEqual(tokens);
  });

  it("gives the 495 published prompts their reference tokens, without the padding", () => {
    const { meta, inputs } = golden();
    const rows = goldenTensor(inputs, "tokens").values;
    const padded = meta.qualities.flatMap((quality) =>
      meta.scenes.flatMap((scene) =>
        meta.distortions.flatMap((distortion) => {
          const words = { quality, scene, distortion };
          const prompt = meta.template.replaceAll(/\{(quality|scene|distortion)\}/g, (_, word: string) =>
            word in words ? words[word as keyof typeof words] : word,
          );
          const tokens = tokenize(prompt);
          return [...tokens, ...new Array<number>(77 - tokens.length).fill(0)];
        }),
      ),
    );
    expect(padded).toEqual([...rows]);
  });

  it("begins and ends every text with CLIP's special tokens, an empty one too", () => {
    expect(tokenize("")).toEqual([START_TOKEN, END_TOKEN]);
  });

  it("takes 77 tokens and refuses 78, saying how many there are", () => {
    expect(tokenize("blur ".repeat(75))).toHaveLength(77);
    expect(() => tokenize("blur ".repeat(76))).toThrow(/has 78 tokens, the text tower takes 77; shorten/);
  });

  it("refuses a text that spells a special token, whatever its case", () => {
    expect(() => tokenize("a photo <|EndOfText|>")).toThrow("spells one of CLIP's special tokens");
  });
});

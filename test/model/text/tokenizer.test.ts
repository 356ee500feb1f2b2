import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { ConfigError } from "../../../src/base/errors.js";
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

  it("says the whole of what is wrong, and what to do", () => {
    expect(() => tokenize("a <|startoftext|>")).toThrow(
      new ConfigError(
        'tokenize: "a <|startoftext|>" spells one of CLIP\'s special tokens; leave it out of templates and labels',
      ),
    );
    expect(() => tokenize("two words", 3)).toThrow(
      new ConfigError('tokenize: "two words" has 4 tokens, the text tower takes 3; shorten the template or the label'),
    );
    expect(tokenize("two words", 4)).toHaveLength(4);
  });

  it("gives every byte its letter: characters of Latin-1 and beyond have tokens of their own", () => {
    const texts = [
      "!",
      "~",
      "\u007f",
      "\u00a0x",
      "¡",
      "¬",
      "\u00ad",
      "®",
      "ÿ",
      "é",
      "漢",
      "😀",
      "constructor",
      "it's",
      "a1b22",
    ];
    const lines = texts.map((text) => `${encodeURIComponent(text)} ${tokenize(text).slice(1, -1).join(" ")}`);
    expect(`\n${lines.join("\n")}\n`).toMatchInlineSnapshot(`
      "
      ! 256
      ~ 349
      %7F 477
      %C2%A0x 343
      %C2%A1 10830
      %C2%AC 126 361
      %C2%AD 22618
      %C2%AE 8436
      %C3%BF 127 379
      %C3%A9 4166
      %E6%BC%A2 162 120 351
      %F0%9F%98%80 7334
      constructor 13321 1208
      it's 585 568
      a1b22 320 272 321 273 273
      "
    `);
  });
});

import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { CheckpointError, ConfigError } from "../../../src/base/errors.js";
import { readTokenizer } from "../../../src/model/weights/tokenizer/readTokenizer.js";
import { SIGLIPS } from "../../support/encoderKinds.js";
import { temporaryFolder } from "../../support/runs.js";

const VOCABULARIES: Readonly<Record<string, number>> = { unigram: 60, "byte pairs": 380 };

/** Folder with a tokenizer's file; `settings` are its tokenizer_config.json. */
function folderOf(kind: string, { name, settings }: { name?: string; settings?: object } = {}): string {
  const { file = "", base64 = "" } = SIGLIPS.tokenizers[kind] ?? {};
  const folder = temporaryFolder();
  writeFileSync(join(folder, name ?? file), Buffer.from(base64, "base64"));
  if (settings !== undefined) writeFileSync(join(folder, "tokenizer_config.json"), JSON.stringify(settings));
  return folder;
}

const open = (folder: string, rows: number) => readTokenizer(join(folder, "model.safetensors"), rows);

describe("readTokenizer", () => {
  it.each(Object.entries(SIGLIPS.tokenizers))("gives the tokens of Python's programs, %s", async (kind, fixture) => {
    const tokenizer = await open(folderOf(kind), VOCABULARIES[kind] ?? NaN);
    expect(fixture.texts.map((text) => tokenizer?.tokenize(text, 64))).toEqual(fixture.tokens);
    expect([...(tokenizer?.files.keys() ?? [])]).toEqual([fixture.file]);
  });

  it("is null where there is none, and reads SentencePiece's unigrams under the other name", async () => {
    expect(await open(temporaryFolder(), 60)).toBeNull();
    const named = await open(folderOf("unigram", { name: "tokenizer.model", settings: { tokenizer_class: "SiglipTokenizer" } }), 60); // prettier-ignore
    expect(named?.tokenize("a photo with bad quality", 64)).toEqual(SIGLIPS.tokenizers["unigram"]?.tokens[0]);
  });

  it.each([
    ["another vocabulary", "unigram", {}, 61, "has 60 tokens, the token embedding 61 rows"],
    ["padding on the left", "unigram", { padding_side: "left" }, 60, "padding_side is left"],
    ["case that is kept", "unigram", { do_lower_case: false }, 60, "do_lower_case is false"],
    [
      "an end that is no token",
      "byte pairs",
      { eos_token: { content: "<none>" } },
      380,
      'has no token "<none>" (eos_token)',
    ],
  ])("refuses %s", async (_, kind, settings, rows, message) => {
    const folder = folderOf(kind, { settings });
    await expect(open(folder, rows)).rejects.toThrow(message);
    await expect(open(folder, rows)).rejects.toThrow(CheckpointError);
  });

  it.each(["spiece.model", "tokenizer.json"])("refuses a %s of other contents", async (name) => {
    const folder = temporaryFolder();
    writeFileSync(join(folder, name), '{"a": 1}');
    await expect(open(folder, 60)).rejects.toThrow(CheckpointError);
  });

  it("refuses a text that is too long, and one with a token that the embedding has no row for", async () => {
    const tokenizer = await open(folderOf("unigram"), 60);
    expect(() => tokenizer?.tokenize("word ".repeat(64), 64)).toThrow(ConfigError);
    const smaller = await open(folderOf("unigram"), 20);
    expect(() => smaller?.tokenize("quadratic wording", 64)).toThrow("the token embedding 20 rows; use other words");
  });

  it("refuses other characters than ASCII's where a tokenizer.json tells their map in a form that is not read", async () => {
    const json = JSON.parse(Buffer.from(SIGLIPS.tokenizers["byte pairs"]?.base64 ?? "", "base64").toString()) as object;
    const folder = temporaryFolder();
    const normalizer = { type: "Precompiled", precompiled_charsmap: null };
    writeFileSync(join(folder, "tokenizer.json"), JSON.stringify({ ...json, normalizer }));
    const tokenizer = await open(folder, 380);
    expect(() => tokenizer?.tokenize("café", 64)).toThrow("other characters than ASCII's");
    expect(tokenizer?.tokenize("cafe", 64)).toHaveLength(64);
  });
});

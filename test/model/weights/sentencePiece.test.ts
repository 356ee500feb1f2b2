import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { readCharsmap } from "../../../src/model/weights/tokenizer/charsmap.js";
import {
  ALL_TOKENIZER_FILES,
  needTokenizer,
  readTokenizer,
  writeTokenizer,
} from "../../../src/model/weights/tokenizer/readTokenizer.js";
import { readSentencePiece } from "../../../src/model/weights/tokenizer/sentencePiece.js";
import { temporaryFolder } from "../../support/runs.js";

/** Unit of a double-array trie (darts-clone): its byte, whether a value follows, the distance to its children. */
const unit = (label: number, hasValue: boolean, offset: number, isWide = false) =>
  (label | (hasValue ? 0x100 : 0) | (isWide ? 0x200 : 0) | (offset << 10)) >>> 0;

/** Map of `a` to X, `ab` to yz, `c` to end, `é` to nothing; its replacements follow the trie. */
function charsmap(replacements = "X\0yz\0end"): Uint8Array {
  const units = new Uint32Array(0x800);
  units[0] = unit(0, false, 0x100); // children of the root from 0x100 on
  units[0x100 ^ 0x61] = unit(0x61, true, 0x161 ^ 0x200);
  units[0x200] = 0x80000000; // X at 0
  units[0x200 ^ 0x62] = unit(0x62, true, 0x262 ^ 0x300);
  units[0x300] = 0x80000002; // yz at 2
  units[0x100 ^ 0x63] = unit(0x63, true, 2, true); // 2 · 256 from 0x163
  units[0x163 ^ 0x200] = 0x80000005; // end at 5
  units[0x100 ^ 0xc3] = unit(0xc3, false, 0x1c3 ^ 0x400);
  units[0x400 ^ 0xa9] = unit(0xa9, true, 0x4a9 ^ 0x500);
  units[0x500] = 0x80000001; // the empty text between
  const size = new Uint8Array(Uint32Array.of(units.byteLength).buffer);
  return Buffer.concat([size, new Uint8Array(units.buffer), Buffer.from(replacements)]);
}

describe("readCharsmap", () => {
  it("replaces the longest known strings, from the beginning on", () => {
    const replace = readCharsmap(charsmap());
    const texts = ["ab", "aab", "ba", "c", "xéx", "", "ñ", "क€", "a😀b", "Ãa"];
    expect(texts.map((text) => replace?.(text))).toEqual([
      ...["yz", "Xyz", "bX", "end", "xx", "", "ñ", "क€", "X😀b", "ÃX"],
    ]);
  });

  it("is none for bytes that are no map, and changes nothing where there are none", () => {
    const whole = charsmap("");
    const changed = (size: number) => {
      const bytes = Buffer.from(whole);
      bytes.writeUInt32LE(size);
      return readCharsmap(bytes);
    };
    expect(readCharsmap(new Uint8Array())?.("ab")).toBe("ab");
    expect(readCharsmap(whole)?.("b")).toBe("b");
    const none = [1, 3, 4].map((length) => readCharsmap(new Uint8Array(length)));
    expect([...none, changed(0), changed(0x1ffe), changed(0x2004)]).toEqual([null, null, null, null, null, null]);
    expect(changed(0x1ffc)).not.toBeNull();
  });
});

type Piece = readonly [text: string, score: number, type?: number];

/** A model's bytes (sentencepiece_model.proto); what it does not name is left out. */
function model(
  pieces: readonly Piece[],
  trainer: Readonly<Record<number, number>> = {},
  normalizer: Readonly<Record<number, number | Uint8Array>> = {},
): Buffer {
  const varint = (value: number): number[] => (value < 128 ? [value] : [(value & 127) | 128, ...varint(value >> 7)]);
  const bytes = (id: number, data: Uint8Array) => Buffer.from([...varint(id * 8 + 2), ...varint(data.length), ...data]);
  const number = (id: number, value: number) => Buffer.from([...varint(id * 8), ...varint(value)]);
  const float = (id: number, value: number) =>
    Buffer.concat([Buffer.from([id * 8 + 5]), Buffer.from(Float32Array.of(value).buffer)]);
  const fields = (all: Readonly<Record<number, number | Uint8Array>>) =>
    Buffer.concat(
      Object.entries(all).map(([id, value]) =>
        typeof value === "number" ? number(Number(id), value) : bytes(Number(id), value),
      ),
    );
  const parts = pieces.map(([text, score, type]) =>
    Buffer.concat([
      bytes(1, Buffer.from(text)),
      float(2, score),
      ...(type === undefined ? [] : [number(3, type)]), // 1, a normal one, by default
    ]),
  );
  return Buffer.concat([
    ...parts.map((part) => bytes(1, part)),
    bytes(2, fields(trainer)),
    bytes(3, fields(normalizer)),
  ]);
}

const PIECES: readonly Piece[] = [
  ["<unk>", 0, 2],
  ["</s>", 0, 3],
  ["▁a", -1],
  ["b", -2, 1],
  ["▁", -3],
  ["ab", -9],
  ["X", -2],
  ["end", -2],
  ["<0xC3>", 0, 6],
  ["<0xB1>", 0, 6],
];

describe("readSentencePiece", () => {
  const encode = (bytes: Uint8Array, ...texts: readonly string[]) => texts.map(readSentencePiece("m", bytes).encode);

  it("finds the most probable pieces of a text, each word after a space of its own", () => {
    const vocabulary = readSentencePiece("m", model(PIECES));
    expect(vocabulary.size).toBe(10);
    expect([vocabulary.idOf("</s>"), vocabulary.idOf("b"), vocabulary.idOf("c")]).toEqual([1, 3, undefined]);
    expect(encode(model(PIECES), "ab", " a  b ", "bb", "", "</s>", "ñ")).toEqual([
      [2, 3],
      [2, 4, 3],
      [4, 3, 3],
      [4],
      [4, 0],
      [4, 0],
    ]);
  });

  it("spells what it does not know in bytes where the model says so", () => {
    expect(encode(model(PIECES, { 35: 1 }), "ñ", "b")).toEqual([
      [4, 8, 9],
      [4, 3],
    ]);
    expect(() => encode(model(PIECES, { 35: 1 }), "é")).toThrow(
      "internal: sentencePiece: a model with byte fallback has no <0xA9>",
    );
  });

  it("replaces characters by the model's map", () => {
    expect(encode(model(PIECES, {}, { 2: charsmap() }), "bab", "c")).toEqual([
      [4, 3, 0],
      [4, 7],
    ]);
  });

  it("says of each model why it is refused", () => {
    const told = (...of: Parameters<typeof model>) => {
      try {
        return `${readSentencePiece("m", model(...of)).size} pieces`;
      } catch (error) {
        return String(error);
      }
    };
    const lines = [
      told(PIECES, { 3: 1, 24: 0 }, { 4: 1, 5: 1 }),
      told(PIECES, { 3: 2 }),
      told([...PIECES, ["mine", 0, 4]]),
      told(PIECES, { 24: 1 }),
      told(PIECES, {}, { 4: 0 }),
      told(PIECES, {}, { 5: 0 }),
      told(PIECES, {}, { 2: Buffer.from("no map") }),
      told([...PIECES, ["mine", 0, 4]], { 24: 1 }, { 2: Buffer.from("no map") }),
      told(PIECES.slice(1)),
      told([]),
    ];
    expect(`\n${lines.join("\n")}\n`).toMatchInlineSnapshot(`
      "
      10 pieces
      CheckpointError: m: is a model of byte pairs, which is read from tokenizer.json alone; put that beside the weights, too
      CheckpointError: m: has symbols of its user's, which SigLIP's do not
      CheckpointError: m: has other rules for spaces, which SigLIP's do not
      CheckpointError: m: has other rules for spaces, which SigLIP's do not
      CheckpointError: m: has other rules for spaces, which SigLIP's do not
      CheckpointError: m: has a map of characters that cannot be read, which SigLIP's do not
      CheckpointError: m: has symbols of its user's and other rules for spaces and a map of characters that cannot be read, which SigLIP's do not
      CheckpointError: m: is no model of SentencePiece's with a vocabulary; get it again
      CheckpointError: m: is no model of SentencePiece's with a vocabulary; get it again
      "
    `);
  });
});

describe("readTokenizer", () => {
  const folderOf = (files: Readonly<Record<string, Uint8Array | object>>) => {
    const folder = temporaryFolder();
    for (const [name, data] of Object.entries(files)) {
      writeFileSync(join(folder, name), data instanceof Uint8Array ? data : JSON.stringify(data));
    }
    return folder;
  };
  /** Tokens of a text, or the message without the folder. */
  const told = async (files: Readonly<Record<string, Uint8Array | object>>, rows = 10, text = "A, b!") => {
    const folder = folderOf(files);
    try {
      const tokenizer = await needTokenizer(join(folder, "w.safetensors"), rows);
      return `${tokenizer.tokenize(text, 6).join(" ")} by ${[...tokenizer.files.keys()].join(", ")}`;
    } catch (error) {
      return String(error).replaceAll(`${folder}/`, "");
    }
  };
  const gemma = model([...PIECES.slice(0, 8), ["<eos>", 0, 3], ["<pad>", 0, 3]]);
  const many = model([...PIECES, ...Array.from({ length: 1000 }, (_, i): Piece => [`word${i}`, -20])]);

  it("reads the first of its files, with the settings of either family", async () => {
    const spiece = { "spiece.model": model(PIECES) };
    const lines = [
      await told(spiece),
      await told({ ...spiece, "tokenizer.json": {}, "tokenizer.model": gemma }),
      await told({ ...spiece, "tokenizer_config.json": { tokenizer_class: "SiglipTokenizer" } }),
      await told({ ...spiece, "tokenizer_config.json": { pad_token: "b", eos_token: { content: "X" } } }),
      await told({ "tokenizer.model": model(PIECES) }),
      await told({ "tokenizer.model": gemma }),
      await told({ "spiece.model": gemma, "tokenizer_config.json": { tokenizer_class: "GemmaTokenizer" } }),
      await told({ "spiece.model": gemma, "tokenizer_config.json": { tokenizer_class: "Siglip2Tokenizer" } }),
      await told({ "spiece.model": gemma }),
      await told({ "spiece.model": many }),
    ];
    expect(`\n${lines.join("\n")}\n`).toMatchInlineSnapshot(`
      "
      2 4 3 1 1 1 by spiece.model
      2 4 3 1 1 1 by spiece.model
      2 4 3 1 1 1 by spiece.model, tokenizer_config.json
      2 4 3 6 3 3 by spiece.model, tokenizer_config.json
      2 4 3 1 1 1 by tokenizer.model
      2 0 4 3 0 8 by tokenizer.model
      2 0 4 3 0 8 by spiece.model, tokenizer_config.json
      2 0 4 3 0 8 by spiece.model, tokenizer_config.json
      2 4 3 1 1 1 by spiece.model
      2 4 3 1 1 1 by spiece.model
      "
    `);
  });

  it("says of each folder why it is refused", async () => {
    const settings = (json: object) => told({ "spiece.model": model(PIECES), "tokenizer_config.json": json });
    const lines = [
      await told({}),
      await told({ "tokenizer_config.json": {} }),
      await settings([1]),
      await settings({ padding_side: "left" }),
      await settings({ do_lower_case: false }),
      await settings({ eos_token: "<none>" }),
      await settings({ pad_token: { content: "<none>" } }),
      await settings({ pad_token: { content: 3 }, padding_side: "right", do_lower_case: true }),
      await told({ "spiece.model": model(PIECES) }, 11),
      await told({ "spiece.model": many }, 9),
      await told({ "tokenizer.json": Buffer.from("7") }),
      await told({ "spiece.model": model(PIECES) }, 10, "a a a a a"),
      await told({ "spiece.model": model(PIECES) }, 10, "a a a a a a"),
      await told({ "spiece.model": model(PIECES) }, 7, "end"),
      await told({ "spiece.model": model(PIECES) }, 8, "end"),
      await told({ "tokenizer_config.json": Buffer.from("{"), "spiece.model": model(PIECES) }),
    ];
    expect(`\n${lines.join("\n")}\n`).toMatchInlineSnapshot(`
      "
      CheckpointError: w.safetensors: is a SigLIP, whose tokenizer is not beside it; put spiece.model or tokenizer.json of its folder there, with tokenizer_config.json
      CheckpointError: w.safetensors: is a SigLIP, whose tokenizer is not beside it; put spiece.model or tokenizer.json of its folder there, with tokenizer_config.json
      CheckpointError: tokenizer_config.json: is no JSON object; get it again
      CheckpointError: tokenizer_config.json: padding_side is left, where SigLIP's prompts are padded on the right
      CheckpointError: tokenizer_config.json: do_lower_case is false, where SigLIP's prompts are lower case
      CheckpointError: spiece.model: has no token "<none>" (eos_token)
      CheckpointError: spiece.model: has no token "<none>" (pad_token)
      2 4 3 1 1 1 by spiece.model, tokenizer_config.json
      CheckpointError: spiece.model: has 10 tokens, the token embedding 11 rows; is it another model's?
      CheckpointError: spiece.model: has 1010 tokens, the token embedding 9 rows; is it another model's?
      CheckpointError: tokenizer.json: cannot be read as a tokenizer (no JSON object); get it again
      2 2 2 2 2 1 by spiece.model
      ConfigError: tokenize: "a a a a a a" has 7 tokens, the text tower takes 6; shorten the template or the label
      ConfigError: tokenize: "end" has the token 7, and the token embedding 7 rows; use other words
      4 7 1 1 1 1 by spiece.model
      CheckpointError: tokenizer_config.json: is no JSON object; get it again
      "
    `);
  });

  it("refuses what cannot be read, and writes what it read", async () => {
    const folder = temporaryFolder();
    mkdirSync(join(folder, "spiece.model"));
    await expect(readTokenizer(join(folder, "w"), 10)).rejects.toThrow(`${join(folder, "spiece.model")}: cannot be read, EISDIR`); // prettier-ignore
    const from = folderOf({ "spiece.model": model(PIECES), "tokenizer_config.json": {} });
    const tokenizer = await needTokenizer(join(from, "w"), 10);
    const to = temporaryFolder();
    await writeTokenizer(to, tokenizer);
    const again = await needTokenizer(join(to, "w"), 10);
    expect([...again.files]).toEqual([...tokenizer.files]);
    expect(ALL_TOKENIZER_FILES).toEqual([
      ...["spiece.model", "tokenizer.json", "tokenizer.model", "tokenizer_config.json"],
    ]);
  });
});

import { copyFileSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { describe, expect, it } from "vitest";
import { openModel } from "../../src/api/openModel.js";
import { train } from "../../src/api/train/train.js";
import { readTokenizer } from "../../src/model/weights/tokenizer/readTokenizer.js";
import { SIGLIPS, uniform, writeFamily } from "../support/encoderKinds.js";
import { pythonJson, withoutPython } from "../support/python.js";
import { temporaryFolder, toyDatabase } from "../support/runs.js";

/** Trains a unigram model with the usual map of characters, and prints the pieces of many texts. */
const TRAIN = `
import io, json, sys, sentencepiece as spm
corpus = ["a photo of good quality", "the \u00fcber caf\u00e9 at night", "noise and blur and color", "\u65e5\u672c\u8a9e \uac00\ub098 text"] * 20
out = io.BytesIO()
spm.SentencePieceTrainer.train(sentence_iterator=iter(corpus), model_writer=out, vocab_size=400, model_type="unigram", minloglevel=2,
    pad_id=0, eos_id=1, unk_id=2, bos_id=-1, hard_vocab_limit=False, byte_fallback=True, normalization_rule_name="nmt_nfkc")
open("spiece.model", "wb").write(out.getvalue())
model = spm.SentencePieceProcessor(model_proto=out.getvalue())
characters = [chr(i) for i in list(range(32, 0xD800, 7)) + list(range(0xE000, 0x10000, 11)) + [0x1F600, 0x1D400]]
texts = ["a photo of good quality", "\uff21\uff22 \ufb01ne\u3000caf\u00e9 \u2460\u00bd", "  a   b "] + [f"a{c}b" for c in characters]
texts = [text for text in texts if "\u2581" not in text]
print(json.dumps({"size": model.get_piece_size(), "texts": texts, "ids": model.encode(texts)}))
`;

const skipped = withoutPython("sentencepiece");

describe.skipIf(skipped !== "")(`a tokenizer beside Python's sentencepiece${skipped}`, () => {
  it("normalizes characters of the basic plane and beyond by the model's own map, unknown ones byte by byte", async () => {
    const folder = temporaryFolder();
    const printed = pythonJson(TRAIN, folder) as { size: number; texts: string[]; ids: number[][] };
    const tokenizer = await readTokenizer(join(folder, "model.safetensors"), printed.size);
    // Case, punctuation and spaces are taken out before, as transformers does
    const isKept = (text: string) =>
      text.toLowerCase() === text && !/[!-/:-@[-`{-~]/.test(text) && text.replaceAll(/\s+/gu, " ").trim() === text;
    const kept = printed.texts.flatMap((text, i) => (isKept(text) ? [{ text, expected: printed.ids[i] ?? [] }] : []));
    const wrong = kept.flatMap(({ text, expected }) => {
      const own = tokenizer?.tokenize(text, 200) ?? [];
      const tokens = own.slice(0, own.indexOf(1));
      return JSON.stringify(tokens) === JSON.stringify(expected) ? [] : [{ text, tokens, expected }];
    });
    expect(wrong).toEqual([]);
    expect(kept.length).toBeGreaterThan(5000);
  });
});

/** Opens a checkpoint's weights with transformers, and encodes pixels and a prompt. */
const OPEN = `
import json, torch, transformers
from safetensors.torch import load_file
transformers.logging.set_verbosity_error()
config = json.load(open("config.json"))
for part in ("vision_config", "text_config"):
    config[part]["layer_norm_eps"] = float(config[part]["layer_norm_eps"])
    config[part].pop("attention_dropout", None)
model = transformers.SiglipModel(transformers.SiglipConfig(**{part: config[part] for part in ("vision_config", "text_config")})).eval()
model.load_state_dict(load_file("model.safetensors"), strict=True)
pixels = torch.tensor(json.load(open("pixels.json"))).view(3, 48, 48, 3).permute(0, 3, 1, 2) / 127.5 - 1
tokens = transformers.SiglipTokenizer("spiece.model")("a photo with bad quality", padding="max_length", max_length=64, return_tensors="pt")
unit = lambda x: torch.nn.functional.normalize(x, dim=-1).flatten().tolist()
with torch.no_grad():
    images = model.vision_model(pixel_values=pixels).pooler_output
    texts = model.text_model(input_ids=tokens["input_ids"]).pooler_output
print(json.dumps({"images": unit(images), "texts": unit(texts)}))
`;

const lacking = withoutPython("torch", "transformers", "safetensors", "sentencepiece");

describe.skipIf(lacking !== "")(`a SigLIP's checkpoint in transformers${lacking}`, () => {
  it("has the features that it has here", async () => {
    const member = SIGLIPS.families["SigLIP B/16"];
    if (member === undefined) throw new Error("test: no such family");
    const weights = await writeFamily(temporaryFolder(), member);
    const root = await toyDatabase({ rows: 60, cols: 60 });
    const { folder } = await train(
      {
        run: "toys",
        model: { weights },
        data: { root, databases: [{ name: "toys", imagesPerStep: 4 }] },
        prompts: { template: "a photo with {quality} quality" },
        train: { epochs: 1, stepsPerEpoch: 2, cropsPerImage: 1, learningRate: 1e-3 },
        evaluate: { crops: 1, validationCrops: 1 },
      },
      { out: temporaryFolder() },
    );
    const last = join(folder, "split-1", "last");
    copyFileSync(join(dirname(weights), "config.json"), join(last, "config.json"));
    const opened = await openModel(last);
    const { model } = opened;
    const pixels = Uint8Array.from(uniform("pixels", 3 * model.cropSize), (value) => Math.floor((value + 1) * 128));
    writeFileSync(join(last, "pixels.json"), JSON.stringify([...pixels]));
    const theirs = pythonJson(OPEN, last) as { images: number[]; texts: number[] };
    const features = model.imageFeatures(pixels);
    expect(features).toBeAllClose(theirs.images, { rtol: 0, atol: 1e-5 });
    const text = [...model.promptFeatures().dataSync().slice(0, theirs.texts.length)];
    expect(Math.max(...text.map((value, i) => Math.abs(value - (theirs.texts[i] ?? NaN))))).toBeLessThan(1e-5);
    features.dispose();
    opened.dispose();
  });
});

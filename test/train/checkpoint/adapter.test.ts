import { createHash } from "node:crypto";
import { readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { CheckpointError } from "../../../src/base/errors.js";
import { sha256OfFile, writeDurable } from "../../../src/base/files.js";
import { PROMPT_CONTEXT, PROMPT_FEATURES } from "../../../src/model/parameters/learnedPrompts.js";
import { adapterShapes, initialAdapters, mergeAdapters, peftName } from "../../../src/model/parameters/lora.js";
import type { NamedArray, NamedArrays } from "../../../src/model/parameters/parameters.js";
import { parameterShapes } from "../../../src/model/parameters/shapes.js";
import { loadParameters } from "../../../src/model/weights/loadParameters.js";
import { readWithMetadata, writeSafetensors } from "../../../src/model/weights/safetensors.js";
import {
  adapterMetadata,
  fileBase,
  isLora,
  type LoraRecord,
  mergedWeights,
  peftConfig,
  readAdapted,
  readLearnedPrompts,
  sumOf,
} from "../../../src/train/checkpoint/adapter.js";
import { loadCheckpoint, saveCheckpoint } from "../../../src/train/checkpoint/checkpoint.js";
import { checkpointAfter } from "../../support/checkpoints.js";
import { temporaryFolder, TOY_ARCHITECTURE, toyWeights } from "../../support/runs.js";

const baseFile = await toyWeights();
const base = await fileBase(baseFile);
const { parameters } = await loadParameters(baseFile);
const record: LoraRecord = { rank: 2, alpha: 3, dropout: 0.25, base };

/** Adapters of the image tower's attention, beginning as they train: A random, B zero. */
const adapters = initialAdapters(
  adapterShapes(
    parameterShapes(TOY_ARCHITECTURE),
    2,
    (name, part) => name.startsWith("visual") && part === "attention",
  ),
  1,
);
const PREFIX = "base_model.model.vision_model.encoder.layers.0.self_attn.";
const ATTENTION = ["q_proj", "k_proj", "v_proj", "out_proj"];

describe("a checkpoint of low-rank adapters", () => {
  const checkpoint = { ...checkpointAfter(1), weights: new Map([...parameters, ...adapters]), adapter: record };

  it("holds the adapters in PEFT's form in place of the weights, and is read back beside their base", async () => {
    const folder = join(temporaryFolder(), "last");
    await saveCheckpoint(folder, checkpoint);
    const files = ["adapter.safetensors", "adapter_config.json", "optimizer.safetensors", "seen.json", "state.json"];
    expect(readdirSync(folder).toSorted()).toEqual([...files, "manifest.json"].toSorted());
    const { arrays, metadata } = await readWithMetadata(join(folder, "adapter.safetensors"));
    expect([...arrays.keys()].toSorted()).toEqual(
      ATTENTION.flatMap((map) => ["A", "B"].map((side) => `${PREFIX}${map}.lora_${side}.weight`)).toSorted(),
    );
    expect(metadata).toMatchObject({
      ...{ format: "pt", rank: "2", alpha: "3", dropout: "0.25" },
      base: `{"kind":"file","path":"${baseFile}","sha256":"${await sha256OfFile(baseFile)}"}`,
    });
    const found = await loadCheckpoint(folder);
    expect(found.adapter).toEqual(record);
    expect(found.kind).toMatchObject(checkpoint.kind);
    expect(new Map([...found.weights].toSorted())).toEqual(new Map([...checkpoint.weights].toSorted()));
  });

  it("holds learned prompts alone, likewise", async () => {
    const folder = join(temporaryFolder(), "best");
    const prompts: NamedArray = { shape: [1, 8], values: Float32Array.from({ length: 8 }, (_, i) => i / 8) };
    const weights = new Map([...parameters, [PROMPT_FEATURES, prompts] as const]);
    await saveCheckpoint(folder, { ...checkpoint, weights, adapter: { base }, optimizer: null, seen: null });
    expect(readdirSync(folder).toSorted()).toEqual(["manifest.json", "prompts.safetensors", "state.json"]);
    const found = await loadCheckpoint(folder);
    expect(found).toMatchObject({ adapter: { base }, optimizer: null, raw: null, seen: null, tokenizer: null });
    expect(found.weights).toEqual(weights);
  });

  it("has the averaged weights to go on from, and leaves them out with the optimizer where they are not asked for", async () => {
    const folder = join(temporaryFolder(), "last");
    await saveCheckpoint(folder, { ...checkpoint, raw: adapters });
    expect((await loadCheckpoint(folder)).raw).toEqual(adapters);
    expect(await loadCheckpoint(folder, { withOptimizer: false })).toMatchObject({ raw: null, optimizer: null });
  });
});

describe("peftConfig", () => {
  it("is the text of PEFT's adapter_config.json, with each matrix once", () => {
    expect(peftConfig(record, new Map([...parameters, ...adapters]))).toBe(`{
 "peft_type": "LORA",
 "task_type": null,
 "base_model_name_or_path": "${baseFile}",
 "r": 2,
 "lora_alpha": 3,
 "lora_dropout": 0.25,
 "bias": "none",
 "fan_in_fan_out": false,
 "inference_mode": true,
 "target_modules": [
  "vision_model.encoder.layers.0.self_attn.q_proj",
  "vision_model.encoder.layers.0.self_attn.k_proj",
  "vision_model.encoder.layers.0.self_attn.v_proj",
  "vision_model.encoder.layers.0.self_attn.out_proj"
 ]
}
`);
    const random = { kind: "random", preset: "vit-tiny", seed: 1, sha256: "0".repeat(64) } as const;
    expect(peftConfig({ ...record, base: random }, adapters)).toContain('"base_model_name_or_path": null,');
  });
});

describe("adapterMetadata", () => {
  it("says nothing of a dropout that there was not, and nothing but the base of learned prompts", () => {
    const text = JSON.stringify(base);
    expect(adapterMetadata({ ...record, dropout: 0 })).toEqual({ rank: "2", alpha: "3", base: text });
    expect(adapterMetadata({ base })).toEqual({ base: text });
    expect([isLora(record), isLora({ base })]).toEqual([true, false]);
  });
});

describe("fileBase", () => {
  it("refuses weights in shards, and says how to make one file of them", async () => {
    await expect(fileBase("/a/model.safetensors.index.json")).rejects.toThrow(
      new CheckpointError(
        "/a/model.safetensors.index.json: is in shards, and what is trained beside weights names one file by its " +
          "SHA-256; make one of them first: liqe weights convert /a --out FILE.safetensors",
      ),
    );
  });
});

describe("sumOf", () => {
  it("is of names and values in the names' order, whatever order they are in", () => {
    const array = (...values: number[]) => ({ shape: [values.length], values: Float32Array.from(values) });
    const sum = sumOf(new Map([["a", array(1, 2)], ["b", array(3)]])); // prettier-ignore
    const hash = createHash("sha256").update("a").update(Float32Array.of(1, 2)).update("b").update(Float32Array.of(3));
    expect(sum).toBe(hash.digest("hex"));
    expect(sumOf(new Map([["b", array(3)], ["a", array(1, 2)]]))).toBe(sum); // prettier-ignore
    expect(sumOf(new Map([["a", array(3)], ["b", array(1, 2)]]))).not.toBe(sum); // prettier-ignore
  });
});

describe("mergedWeights", () => {
  it("merges adapters by their strength, and leaves learned prompts and whole weights as they are", () => {
    const ups = [...adapters].map(([name, { shape, values }]) => [name, { shape, values: values.map((x) => x + 1) }] as const); // prettier-ignore
    const weights = new Map([...parameters, ...ups]);
    expect(mergedWeights({ weights, adapter: record })).toEqual(mergeAdapters(weights, 3));
    expect(mergedWeights({ weights, adapter: { base } })).toBe(weights);
    expect(mergedWeights({ weights, adapter: null })).toBe(weights);
  });
});

describe("readAdapted", () => {
  const PEFT = new Map([...adapters].map(([name, array]) => [peftName(name), array]));

  async function written(arrays: NamedArrays, header: Record<string, string> = adapterMetadata(record)) {
    const file = join(temporaryFolder(), "adapter.safetensors");
    await writeDurable(file, (handle) => writeSafetensors(handle, arrays, header));
    return file;
  }

  /** What is said of a file after its name. */
  async function refusal(file: string): Promise<string> {
    const error: unknown = await readAdapted(file).catch((reason: unknown) => reason);
    expect(error).toBeInstanceOf(CheckpointError);
    return String(error).replace("CheckpointError: ", "").replace(`${file}: `, "");
  }

  const changed = (name: string, array: NamedArray) => new Map([...PEFT, [name, array]]);
  const query = `${PREFIX}q_proj.lora_A.weight`;
  const own = "visual.transformer.resblocks.0.self_attn.q_proj";

  it("refuses what is no adapter of the base, each thing by name", async () => {
    const other = "; was it written by another program, or changed?";
    const four = { shape: [2, 2], values: new Float32Array(4) };
    expect(await refusal(await written(new Map([...PEFT, ["visual.proj", four]])))).toBe(
      '"visual.proj" is no adapter of CLIP\'s blocks; was it written by another program?',
    );
    expect(await refusal(await written(changed(query, four)))).toBe(
      `"${own}.lora_A.weight" is [2, 2], not [2, 16]${other}`,
    );
    const infinite = { shape: [2, 16], values: new Float32Array(32).fill(Infinity, 31) };
    expect(await refusal(await written(changed(query, infinite)))).toBe(
      `"${own}.lora_A.weight" has values that are not finite${other}`,
    );
    const left = new Map([...PEFT].filter(([name]) => name !== query));
    expect(await refusal(await written(left))).toBe(`"${own}.lora_A.weight" is missing${other}`);
    const beyond = changed(query.replace("layers.0", "layers.7"), { shape: [2, 16], values: new Float32Array(32) });
    expect(await refusal(await written(beyond))).toBe(
      `"${own.replace("resblocks.0", "resblocks.7")}.lora_A.weight" fits no matrix of its base${other}`,
    );
  });

  it("refuses a header that does not say what the adapters are", async () => {
    const header = adapterMetadata(record);
    const { rank, ...withoutRank } = header;
    expect(rank).toBe("2");
    const said = "its header does not say the rank, alpha and base of the adapters; was it written by another program?";
    for (const wrong of [
      withoutRank,
      { ...header, rank: "0" },
      { ...header, rank: "1.5" },
      { ...header, alpha: "0" },
      { ...header, dropout: "1" },
      { ...header, dropout: "-0.5" },
      { ...header, base: "{}" },
      { ...header, base: "null" },
    ]) {
      expect(await refusal(await written(PEFT, wrong)), JSON.stringify(wrong)).toBe(said);
    }
  });

  it("refuses a base that is gone, or another file, or comes out otherwise", async () => {
    const file = join(temporaryFolder(), "weights.safetensors");
    writeFileSync(file, readFileSync(baseFile));
    const moved = await written(PEFT, adapterMetadata({ ...record, base: await fileBase(file) }));
    expect((await readAdapted(moved)).adapter.base).toEqual({ ...base, path: file });
    writeFileSync(file, "other");
    const fits = `this file fits SHA-256 ${base.sha256} alone`;
    expect(await refusal(moved)).toBe(
      `its base ${file} is another file now, of SHA-256 ${await sha256OfFile(file)}; ${fits}`,
    );
    rmSync(file);
    expect(await refusal(moved)).toBe(`its base ${file} is not there; ${fits}`);
    const folder = temporaryFolder();
    const aFolder = await written(PEFT, adapterMetadata({ ...record, base: { ...base, kind: "file", path: folder } }));
    expect(await refusal(aFolder)).toMatch(new RegExp(`^its base ${folder} cannot be read \\(.+\\); ${fits}$`));
  });
});

describe("readLearnedPrompts", () => {
  it("holds features against the embedding, context vectors against the text tower's width, each number finite", async () => {
    const file = await toyWeights({ ...TOY_ARCHITECTURE, embedding: 12 }); // and 8 wide
    const header = adapterMetadata({ base: await fileBase(file) });
    const read = async (name: string, shape: [number, number], last = 1) => {
      const prompts = join(temporaryFolder(), "prompts.safetensors");
      const values = new Float32Array(shape[0] * shape[1]).fill(last, -1);
      await writeDurable(prompts, (handle) => writeSafetensors(handle, new Map([[name, { shape, values }]]), header));
      return (await readLearnedPrompts(prompts)).weights.get(name)?.shape;
    };
    expect(await read(PROMPT_FEATURES, [3, 12])).toEqual([3, 12]);
    expect(await read(PROMPT_CONTEXT, [3, 8])).toEqual([3, 8]);
    await expect(read(PROMPT_FEATURES, [3, 8])).rejects.toThrow(
      '"prompt_features" is [3, 8], and its base has 12 numbers a row; was it changed?',
    );
    await expect(read(PROMPT_CONTEXT, [3, 12])).rejects.toThrow("and its base has 8 numbers a row; was it changed?");
    await expect(read(PROMPT_FEATURES, [3, 12], NaN)).rejects.toThrow(
      'must hold "prompt_features" or "prompt_context" alone, of finite numbers, got prompt_features; was it written by ' +
        "another program?",
    );
  });
});

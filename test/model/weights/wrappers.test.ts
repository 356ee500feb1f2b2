import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import { readWeights } from "../../../src/model/weights/readWeights.js";
import {
  float32,
  op,
  pickle,
  safetensorsFile,
  tensorOps,
  torchFile,
  writeIn,
  zipFile,
} from "../../support/weightFiles.js";

const folder = mkdtempSync(join(tmpdir(), "liqe-wrappers-"));
afterAll(() => {
  rmSync(folder, { recursive: true });
});

/** Names, naming and wrappers of a file. */
async function look(path: string) {
  const { names, naming, wrappers, close } = await readWeights(path);
  await close();
  return { names: [...names.keys()], naming, wrappers };
}

const dict = (entries: Readonly<Record<string, Uint8Array>>) =>
  Buffer.concat([
    op.emptyDict,
    ...Object.entries(entries).flatMap(([key, value]) => [op.string(key), value, op.setItem]),
  ]);
const tensor = tensorOps("0", 1, [], []);
const torch = (name: string, value: Uint8Array) =>
  writeIn(folder, name, zipFile(torchFile(pickle(value), { 0: float32(1) })));

/** A safetensors file of scalars, or of tensors of one shape. */
const tensors = (name: string, names: readonly string[], shape: readonly number[] = []) => {
  const size = 4 * shape.reduce((a, b) => a * b, 1);
  const header = names.map((tensorName, i) => [
    tensorName,
    { dtype: "F32", shape, data_offsets: [i * size, (i + 1) * size] },
  ]);
  return writeIn(folder, name, safetensorsFile(Object.fromEntries(header), names.length * size));
};

describe("readWeights", () => {
  it.each(["model_state_dict", "state_dict", "params", "params_ema", "model"])(
    "finds weights under %s",
    async (key) => {
      const path = torch(`${key}.pt`, dict({ epoch: op.int(3), [key]: dict({ logit_scale: tensor }) }));
      expect(await look(path)).toEqual({ names: ["logit_scale"], naming: "OpenAI", wrappers: [key] });
    },
  );

  it("finds weights under two wrappers and two prefixes, and says so", async () => {
    const inner = dict({ "module.model.logit_scale": tensor, "module.model.visual.proj": tensor });
    const path = torch("deep.pt", dict({ state_dict: dict({ model: inner }), best: op.int(1) }));
    const { names, wrappers } = await look(path);
    expect(names).toEqual(["logit_scale", "visual.proj"]);
    expect(wrappers).toEqual(["state_dict", "model", "module.", "model."]);
  });

  it("leaves a prefix alone that not every name has", async () => {
    const { names } = await look(tensors("some.safetensors", ["module.logit_scale", "visual.proj"]));
    expect(names).toEqual(["module.logit_scale", "visual.proj"]);
  });

  it("reads past the scores that training programs put beside the weights", async () => {
    const scores = Buffer.concat([op.global("numpy.core.multiarray", "scalar"), op.emptyTuple, op.reduce]);
    const path = torch("scores.pt", dict({ model_state_dict: dict({ logit_scale: tensor }), srcc: scores }));
    expect((await look(path)).names).toEqual(["logit_scale"]);
  });

  it("leaves out what CLIP files hold beside weights", async () => {
    const names = [
      "logit_scale",
      "input_resolution",
      "context_length",
      "vocab_size",
      "text_model.embeddings.position_ids",
    ];
    expect((await look(tensors("sizes.safetensors", names))).names).toEqual(["logit_scale"]);
  });

  it("joins Hugging Face's queries, keys and values, in this order, and turns projections", async () => {
    const layer = "vision_model.encoder.layers.0.self_attn";
    const names = [
      `${layer}.k_proj.weight`,
      `${layer}.q_proj.weight`,
      `${layer}.v_proj.weight`,
      "visual_projection.weight",
    ];
    const path = tensors("hf.safetensors", names, [2, 3]);
    const weights = await readWeights(path);
    expect(weights.naming).toBe("Hugging Face");
    expect([...weights.names].map(([name, { shape }]) => [name, shape])).toEqual([
      ["visual.proj", [3, 2]],
      ["visual.transformer.resblocks.0.attn.in_proj_weight", [6, 3]],
    ]);
    await weights.close();
  });

  it("refuses a block without its keys, and a tensor that is there under both names", async () => {
    const layer = "text_model.encoder.layers.1.self_attn";
    const lacking = tensors("lacking.safetensors", [`${layer}.q_proj.bias`, `${layer}.v_proj.bias`], [2]);
    await expect(look(lacking)).rejects.toThrow(
      "transformer.resblocks.1.attn.in_proj_bias needs queries, keys and values",
    );
    const both = tensors("both.safetensors", ["ln_final.bias", "text_model.final_layer_norm.bias"], [2]);
    await expect(look(both)).rejects.toThrow("two tensors are ln_final.bias");
  });

  it("refuses to read a name that the file does not have", async () => {
    const weights = await readWeights(tensors("one.safetensors", ["logit_scale"]));
    await expect(weights.read("visual.proj")).rejects.toThrow("has no visual.proj");
    await weights.close();
  });
});

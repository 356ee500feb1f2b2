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
  it.each(["model_state_dict", "state_dict", "params", "params_ema", "model", "state_dict_ema", "model_ema", "ema"])(
    "finds weights under %s",
    async (key) => {
      const path = torch(`${key}.pt`, dict({ epoch: op.int(3), [key]: dict({ logit_scale: tensor }) }));
      expect(await look(path)).toEqual({ names: ["logit_scale"], naming: "OpenAI", wrappers: [key] });
    },
  );

  it("reads tensors with attributes, as torch.nn.Buffer and parameters with a state are", async () => {
    const args = tensor.subarray(tensor.indexOf("(", 0, "latin1"), -1); // the arguments of the rebuilding alone
    const buffer = (maker: string, type: string) =>
      Buffer.concat([
        ...[op.global("torch._tensor", "_rebuild_from_type_v2"), op.mark, op.global("torch._utils", maker)],
        ...[op.global("torch", type), args, op.emptyDict, op.string("persistent"), op.true, op.setItem],
        ...[op.tuple, op.reduce],
      ]);
    const isRead = torch("buffer.pt", dict({ logit_scale: buffer("_rebuild_tensor_v2", "Tensor") }));
    expect((await look(isRead)).names).toEqual(["logit_scale"]);
    const other = torch("buffer-odd.pt", dict({ logit_scale: buffer("_rebuild_parameter", "Tensor") }));
    await expect(readWeights(other)).rejects.toThrow("rebuilds an object that is no plain tensor");
    const state = [op.global("torch._utils", "_rebuild_parameter_with_state"), op.mark, tensor, op.false];
    const empty = [op.global("collections", "OrderedDict"), op.emptyTuple, op.reduce, op.emptyDict];
    const parameter = Buffer.concat([...state, ...empty, op.tuple, op.reduce]);
    expect((await look(torch("state.pt", dict({ logit_scale: parameter })))).names).toEqual(["logit_scale"]);
  });

  it("turns the sign of a negated view, and refuses metadata that it does not know", async () => {
    const view = (metadata: Readonly<Record<string, Uint8Array>>) => tensorOps("0", 1, [], [], { metadata });
    const plain = await readWeights(torch("plain.pt", dict({ logit_scale: tensor })));
    const negated = await readWeights(torch("negated.pt", dict({ logit_scale: view({ neg: op.true }) })));
    const kept = await readWeights(torch("kept.pt", dict({ logit_scale: view({ neg: op.false, conj: op.true }) })));
    const [[a = NaN], [b], [c]] = [
      await plain.read("logit_scale"),
      await negated.read("logit_scale"),
      await kept.read("logit_scale"),
    ];
    expect(a).not.toBe(0);
    expect([b, c]).toEqual([-a, a]);
    for (const weights of [plain, negated, kept]) await weights.close();
    const odd = torch("odd.pt", dict({ logit_scale: view({ layout: op.true }) }));
    await expect(readWeights(odd)).rejects.toThrow('the metadata "layout", which is not read');
  });

  it("reads a scale of logits of shape [1] as the scalar that it is", async () => {
    const weights = await readWeights(tensors("scale.safetensors", ["logit_scale", "visual.proj"], [1]));
    expect([...weights.names].map(([, { shape }]) => shape)).toEqual([[], [1]]);
    await weights.close();
  });

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
      ...["text_model.embeddings.position_ids", "text.attn_mask"],
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

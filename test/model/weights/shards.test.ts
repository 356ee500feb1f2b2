import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { openWeights } from "../../../src/api/openModel.js";
import { CheckpointError } from "../../../src/base/errors.js";
import type { NamedArrays } from "../../../src/model/parameters/parameters.js";
import { readWeights } from "../../../src/model/weights/readWeights.js";
import { readSafetensors, writeSafetensors } from "../../../src/model/weights/safetensors.js";
import { writeTorchFile } from "../../../src/model/weights/torch/writeTorch.js";
import { writeDurable } from "../../../src/base/files.js";
import { temporaryFolder, toyWeights } from "../../support/runs.js";

const whole = await toyWeights();
const parameters = await readSafetensors(whole);

/** Writes the toy network as transformers does a large one: two files and the index that names each tensor's. */
async function parted(base: string, map: (weights: Record<string, string>) => unknown = (weights) => weights) {
  const folder = temporaryFolder();
  const dot = base.lastIndexOf(".");
  const names = [...parameters.keys()];
  const weights: Record<string, string> = {};
  for (const part of [0, 1]) {
    const file = `${base.slice(0, dot)}-0000${part + 1}-of-00002${base.slice(dot)}`;
    const own: NamedArrays = new Map([...parameters].filter((_, i) => i % 2 === part));
    if (base.endsWith(".bin")) await writeTorchFile(join(folder, file), own, { dtypeOf: () => "F32" });
    else await writeDurable(join(folder, file), (handle) => writeSafetensors(handle, own));
    names.forEach((name, i) => {
      if (i % 2 === part) weights[name] = file;
    });
  }
  const index = join(folder, `${base}.index.json`);
  writeFileSync(index, JSON.stringify({ metadata: { total_size: 1 }, weight_map: map(weights) }));
  return { folder, index, first: join(folder, `${base.slice(0, dot)}-00001-of-00002${base.slice(dot)}`) };
}

const bytesOf = (values: ArrayLike<number>) => Buffer.from(new Uint8Array(Float32Array.from(values).buffer));

describe("weights in several files", () => {
  it.each(["model.safetensors", "open_clip_model.safetensors", "pytorch_model.bin", "open_clip_pytorch_model.bin"])(
    "are read by the index of %s, or by its folder, as the same weights in one file",
    async (base) => {
      const { folder, index } = await parted(base);
      const { source, weights } = await openWeights(folder);
      expect(source).toEqual({ kind: "file", file: index });
      expect([...weights.keys()].sort()).toEqual([...parameters.keys()].sort());
      for (const [name, { shape, values }] of parameters) {
        expect(weights.get(name)?.shape).toEqual(shape);
        expect(bytesOf(weights.get(name)?.values ?? []).equals(bytesOf(values))).toBe(true);
      }
    },
  );

  it("name their index where one of the files is given", async () => {
    const { first, index } = await parted("model.safetensors");
    await expect(readWeights(first)).rejects.toThrow(`${first}: is one of 2 files of a model; name ${index}`);
  });

  it.each([
    [
      "does not name a tensor",
      (all: Record<string, string>) =>
        Object.fromEntries(Object.entries(all).filter(([name]) => name !== "logit_scale")),
      /does not name "logit_scale"/,
    ],
    [
      "names a tensor that is not there",
      (all: Record<string, string>) => ({ ...all, more: all["logit_scale"] }),
      /does not hold "more"/,
    ],
    [
      "names a file that is not there",
      (all: Record<string, string>) => ({ ...all, logit_scale: "gone.bin" }),
      /gone\.bin: .*no such file/,
    ],
    [
      "leads out of its folder",
      (all: Record<string, string>) => ({ ...all, logit_scale: "../w.bin" }),
      /names the file "\.\.\/w\.bin"/,
    ],
    [
      "leads to any place",
      (all: Record<string, string>) => ({ ...all, logit_scale: "/etc/passwd" }),
      /names the file "\/etc\/passwd"/,
    ],
    ["is no index", () => "all", /is no index of weights/],
    ["names nothing", () => ({}), /names no file/],
  ])("are refused where the index %s", async (_, map, message) => {
    const { index } = await parted("model.safetensors", map);
    await expect(readWeights(index)).rejects.toThrow(CheckpointError);
    await expect(readWeights(index)).rejects.toThrow(message);
  });

  it("are not looked for in a checkpoint's folder that is not whole", async () => {
    const folder = temporaryFolder();
    await writeDurable(join(folder, "model.safetensors"), (handle) => writeSafetensors(handle, parameters));
    writeFileSync(join(folder, "state.json"), "{}");
    await expect(openWeights(folder)).rejects.toThrow("holds no whole checkpoint");
  });
});

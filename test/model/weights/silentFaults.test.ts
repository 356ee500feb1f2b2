import { writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { describe, expect, it } from "vitest";
import { writeDurable } from "../../../src/base/files.js";
import { initialParameters } from "../../../src/model/parameters/initialize.js";
import { loadParameters } from "../../../src/model/weights/loadParameters.js";
import { writeSafetensors } from "../../../src/model/weights/safetensors.js";
import { temporaryFolder, TOY_ARCHITECTURE, toyWeights } from "../../support/runs.js";

/** A toy's weight file with another logit scale. */
async function withLogitScale(value: number): Promise<string> {
  const file = join(temporaryFolder(), "toy.safetensors");
  const scale = { shape: [], values: Float32Array.of(value) };
  const weights = new Map([...initialParameters(TOY_ARCHITECTURE, 5), ["logit_scale", scale] as const]);
  await writeDurable(file, (handle) => writeSafetensors(handle, weights));
  return file;
}

describe("weights that were scored wrong in silence", () => {
  it.each([100, 1 / 0.07])(
    "are refused with a logit scale of %d, the factor in place of its logarithm",
    async (value) => {
      await expect(loadParameters(await withLogitScale(value))).rejects.toThrow(/logit_scale is .*is that the factor/);
    },
  );

  it("are read with the largest logit scale that CLIP trains to", async () => {
    const { parameters } = await loadParameters(await withLogitScale(Math.log(100)));
    expect(parameters.get("logit_scale")?.values[0]).toBeCloseTo(4.60517, 5);
  });

  it.each([
    ["open_clip_config.json", { model_cfg: {}, preprocess_cfg: { mode: "BGR" } }, /preprocess_cfg\.mode is "BGR"/],
    ["preprocessor_config.json", { rescale_offset: true }, /rescale_offset is true/],
  ])("are refused with a %s of other pixels", async (name, config, message) => {
    const file = await toyWeights();
    writeFileSync(join(dirname(file), name), JSON.stringify(config));
    await expect(loadParameters(file)).rejects.toThrow(message);
  });
});

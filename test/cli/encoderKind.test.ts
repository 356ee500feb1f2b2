import { copyFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import type { WeightsReport } from "../../src/model/weights/inspectWeights.js";
import { temporaryFolder, toyWeights } from "../support/runs.js";
import { IS_BUILT, liqe } from "./liqe.js";

const weights = await toyWeights();
const PHOTO = "examples/photos/coffee.jpg";

/** The toy's weights in a folder of their own, beside a config of transformers. */
function beside(vision: object): string {
  const folder = temporaryFolder();
  copyFileSync(weights, join(folder, "model.safetensors"));
  const text = { num_attention_heads: 1, hidden_act: "gelu" };
  writeFileSync(join(folder, "config.json"), JSON.stringify({ vision_config: vision, text_config: text }));
  return folder;
}

function predicted(checkpoint: string, ...args: readonly string[]) {
  const outcome = liqe(["predict", PHOTO, "--checkpoint", checkpoint, "--json", "--crops", "1", ...args]);
  const line = JSON.parse(outcome.output || "{}") as { uncertainty?: number; assumed?: string[] }; // our own output
  return { ...outcome, ...line, notes: outcome.messages.split("\n").filter((note) => note.includes("taken for")) };
}

describe.skipIf(!IS_BUILT)("a weight file that does not say its kind", () => {
  it("is scored as OpenAI's, which is said once and with the score, unless a flag or a config says otherwise", () => {
    const bare = predicted(weights);
    expect(bare.exitCode).toBe(0);
    expect(bare.notes).toHaveLength(1);
    expect(bare.assumed).toContain("vision.activation");
    const asked = predicted(weights, "--activation", "gelu", "--heads", "2");
    expect(asked.assumed).toEqual(["text.heads", "pixels"]);
    expect(asked.uncertainty).not.toBe(bare.uncertainty);
    const folder = beside({ num_attention_heads: 2, hidden_act: "gelu" });
    const said = predicted(folder);
    expect(said.uncertainty).toBe(asked.uncertainty);
    expect(said.assumed).toEqual(["pixels"]);
    const report = JSON.parse(liqe(["weights", "inspect", folder, "--json"]).output) as WeightsReport; // our own output
    expect(report.architecture.vision).toMatchObject({ kind: "vit", heads: 2, activation: "gelu", window: 224 });
    expect(report.sources["vision.heads"]).toBe("config.json: vision_config.num_attention_heads");
  });

  it.each([
    [["--heads", "4"], "vision.heads is 4 by what was asked for"],
    [["--activation", "quick-gelu"], "vision.activation is quick-gelu by what was asked for"],
  ])("is refused with %s where its config says otherwise", (flags, message) => {
    const { exitCode, messages } = predicted(beside({ num_attention_heads: 2, hidden_act: "gelu" }), ...flags);
    expect(exitCode).toBe(4);
    expect(messages).toContain(message);
  });

  it("is refused for an activation that is not computed", () => {
    const { exitCode, messages } = predicted(beside({ hidden_act: "gelu_fast" }));
    expect(exitCode).toBe(4);
    expect(messages).toContain(
      'vision_config.hidden_act is "gelu_fast"; quick_gelu, gelu, gelu_pytorch_tanh are computed here',
    );
  });
});

import { createHash } from "node:crypto";
import { mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import { describeWeights } from "../../../src/cli/commands/weights.js";
import { convertWeights } from "../../../src/model/weights/convertWeights.js";
import { inspectWeights } from "../../../src/model/weights/inspectWeights.js";
import { OPENAI_FILES, publishedFile, recognize } from "../../../src/model/weights/published.js";
import { goldenWeights, type GoldenWeights } from "../../support/golden.js";
import { float32, op, pickle, tensorOps, torchFile, writeIn, zipFile } from "../../support/weightFiles.js";

const folder = mkdtempSync(join(tmpdir(), "liqe-inspect-"));
afterAll(() => {
  rmSync(folder, { recursive: true });
});

const FILES: readonly (readonly [GoldenWeights, string, string, object])[] = [
  ["weights-hf.safetensors", "safetensors", "Hugging Face", { F32: 74 }],
  ["weights-openai.pt", "torch.save", "OpenAI", { F16: 74 }],
  ["weights-openai-jit.pt", "TorchScript", "OpenAI", { F16: 74 }],
];

describe("inspectWeights", () => {
  it.each(FILES)("tells format, naming and types of %s", async (file, format, naming, dtypes) => {
    const report = await inspectWeights(goldenWeights(file));
    expect(report).toMatchObject({ format, naming, dtypes, preset: null, published: null, wrappers: [] });
    // by hand from the sizes in the fixture's README: the token embedding is 3,162,112 of them
    expect(report.parameters).toBe(4_274_497);
    expect(report.tensors).toHaveLength(74);
    expect(report.sha256).toBe(
      createHash("sha256")
        .update(readFileSync(goldenWeights(file)))
        .digest("hex"),
    );
  });

  it("refuses a file of other weights, which a look at its names alone would pass", async () => {
    const tensor = [op.emptyDict, op.string("w"), tensorOps("0", 1, []), op.setItem];
    const path = writeIn(folder, "w.pt", zipFile(torchFile(pickle(...tensor), { 0: float32(1) })));
    await expect(inspectWeights(path)).rejects.toThrow("w.pt");
  });
});

describe("describeWeights", () => {
  it("says it to people, the blocks of a tower in one line", async () => {
    const text = describeWeights(await inspectWeights(goldenWeights("weights-openai-jit.pt")));
    expect(text).toContain("format        TorchScript, OpenAI's names");
    expect(text).toContain("parameters    4,274,497 in 74 tensors (74 F16)");
    expect(text).toContain("image 3 layers of width 128, 2 heads of 64, quick-gelu, 224 pixels in patches of 32");
    expect(text).toContain("\n  visual.transformer.resblocks.0-2.mlp.c_fc.weight F16 [512, 128]\n");
  });
});

describe("convertWeights", () => {
  it("writes the same values as safetensors under OpenAI's names, from each format", async () => {
    const written = await Promise.all(
      FILES.map(async ([file], i) => {
        const out = join(folder, `${i}.safetensors`);
        await convertWeights(goldenWeights(file), out, { report: () => undefined });
        return readFileSync(out);
      }),
    );
    const [first, second, third] = written;
    expect(first?.equals(second ?? Buffer.alloc(0)) && first.equals(third ?? Buffer.alloc(0))).toBe(true);
    const report = await inspectWeights(join(folder, "0.safetensors"));
    expect(report).toMatchObject({ naming: "OpenAI", dtypes: { F32: 74 }, metadata: { format: "pt" } });
  });

  it("leaves nothing behind when the file is refused, and needs the right ending", async () => {
    const bad = writeIn(folder, "bad.pt", Buffer.from("no weights"));
    const before = readdirSync(folder);
    await expect(convertWeights(bad, join(folder, "x.safetensors"), { report: () => undefined })).rejects.toThrow(
      "bad.pt",
    );
    expect(readdirSync(folder)).toEqual(before);
    await expect(convertWeights(bad, "x.pt", { report: () => undefined })).rejects.toThrow("ends in .safetensors");
  });

  it("makes the folder it is told to write into, and never writes over what it reads", async () => {
    const out = join(folder, "new", "folder", "x.safetensors");
    await convertWeights(goldenWeights("weights-openai.pt"), out, { report: () => undefined });
    const bytes = readFileSync(out);
    const link = join(folder, "link.safetensors");
    symlinkSync(out, link);
    await expect(convertWeights(out, link, { imageSize: 256, report: () => undefined })).rejects.toThrow(
      "is the file that is read",
    );
    expect(readFileSync(out).equals(bytes)).toBe(true);
  });
});

describe("publishedFile", () => {
  it("has OpenAI's checksum in its address", () => {
    for (const { address, sha256, file } of Object.values(OPENAI_FILES)) {
      expect(address).toBe(`https://openaipublic.azureedge.net/clip/models/${sha256}/${file}`);
      expect(sha256).toMatch(/^[0-9a-f]{64}$/);
      expect(recognize(sha256)?.file).toBe(file);
    }
  });

  it("takes OpenAI's own names, and refuses a preset that OpenAI has no weights for", () => {
    expect(publishedFile("ViT-L/14").file).toBe("ViT-L-14.pt");
    const names = [
      "RN50",
      "RN101",
      "RN50x4",
      "RN50x16",
      "RN50x64",
      "ViT-B/32",
      "ViT-B/16",
      "ViT-L/14",
      "ViT-L/14@336px",
    ];
    expect(new Set(names.map((name) => publishedFile(name).sha256)).size).toBe(9);
    expect(publishedFile("ViT-L/14@336px").file).toBe("ViT-L-14-336px.pt");
    expect(() => publishedFile("vit-tiny")).toThrow(
      "OpenAI published no vit-tiny; there are vit-b-32, vit-b-16, vit-l-14, vit-l-14-336, rn50",
    );
  });
});

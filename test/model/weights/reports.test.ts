import { readFileSync, writeFileSync } from "node:fs";
import { basename, dirname, join } from "node:path";
import { describe, expect, it } from "vitest";
import { writeDurable } from "../../../src/base/files.js";
import type { Architecture } from "../../../src/model/architecture/architecture.js";
import { inferArchitecture, someOf } from "../../../src/model/architecture/inferArchitecture.js";
import { PRESETS } from "../../../src/model/architecture/presets.js";
import { initialParameters } from "../../../src/model/parameters/initialize.js";
import { parameterShapes, type Shapes } from "../../../src/model/parameters/shapes.js";
import { convertWeights } from "../../../src/model/weights/convertWeights.js";
import { inspectWeights } from "../../../src/model/weights/inspectWeights.js";
import {
  assumptionNote,
  checkClaims,
  kindAsked,
  kindBy,
  kindMetadata,
  recordedKind,
  requireKind,
} from "../../../src/model/weights/kind/encoderKind.js";
import { checkPreset, loadParameters, openParameters } from "../../../src/model/weights/loadParameters.js";
import { OPENAI_FILES, publishedFile, recognizeFile } from "../../../src/model/weights/published.js";
import { writeSafetensors } from "../../../src/model/weights/safetensors.js";
import { SIGLIPS } from "../../support/encoderKinds.js";
import { temporaryFolder } from "../../support/runs.js";

// Long, as whole expected texts stand inline, each beside what makes it.

const TEXT = { width: 8, layers: 1, heads: 1, activation: "quick-gelu", contextLength: 7, vocabulary: 9 } as const;
const VIT: Architecture = {
  vision: { width: 16, layers: 1, heads: 1, activation: "quick-gelu", imageSize: 64, patchSize: 32, stem: "patch" },
  text: TEXT,
  embedding: 8,
};
const RESNET: Architecture = {
  vision: { kind: "resnet", imageSize: 64, width: 4, stages: [1, 2, 1, 1], heads: 2 },
  text: { ...TEXT, activation: "quick-gelu" },
  embedding: 8,
};
const SIGLIP: Architecture = {
  vision: { kind: "siglip", width: 12, layers: 1, heads: 1, activation: "gelu-tanh", imageSize: 28, patchSize: 14 },
  text: { ...TEXT, kind: "siglip", activation: "gelu-tanh" },
  embedding: 12,
};

async function written(architecture: Architecture, metadata: Readonly<Record<string, string>> = {}) {
  const file = join(temporaryFolder(), "toy.safetensors");
  await writeDurable(file, (handle) => writeSafetensors(handle, initialParameters(architecture, 1), metadata));
  return file;
}

const messageOf = (make: () => unknown): string => {
  try {
    return `no refusal: ${JSON.stringify(make())}`;
  } catch (error) {
    return String(error);
  }
};
const linesOf = (lines: readonly string[]) => `\n${lines.join("\n")}\n`;

describe("inspectWeights", () => {
  it.each([
    ["vit", VIT],
    ["resnet", RESNET],
    ["siglip", SIGLIP],
  ] as const)("reports all of a file's facts, %s", async (kind, architecture) => {
    const file = await written(architecture, { note: "mine" });
    const { sha256, tensors, logitScale, ...facts } = await inspectWeights(file);
    expect(sha256).toMatch(/^[0-9a-f]{64}$/);
    expect(logitScale).toBeCloseTo(20, 4); // exp(ln 20), where untrained networks start
    expect(tensors.map(({ name, shape }) => [name, shape]).sort()).toEqual([...parameterShapes(architecture)].sort());
    expect(new Set(tensors.map(({ dtype }) => dtype))).toEqual(new Set(["F32"]));
    const expected = {
      vit: {
        ...{ architecture: { ...VIT, vision: { ...VIT.vision, kind: "vit", window: 64 } }, parameters: 53_801 },
        sources: { "vision.window": "the shape of visual.positional_embedding" },
        assumed: ["vision.heads", "vision.activation", "text.heads", "text.activation", "pixels"],
        ...{ tokenizer: "CLIP's", dtypes: { F32: 38 } },
      },
      resnet: {
        architecture: { ...RESNET, vision: { ...RESNET.vision, activation: "relu", window: 64 } },
        sources: {
          "vision.activation": "its kind: a ResNet",
          "vision.window": "the shape of visual.attnpool.positional_embedding",
        },
        assumed: ["vision.heads", "text.heads", "text.activation", "pixels"],
        ...{ tokenizer: "CLIP's", dtypes: { F32: 137 }, parameters: 87_363 },
      },
      siglip: {
        ...{ architecture: { ...SIGLIP, vision: { ...SIGLIP.vision, window: 28 } }, parameters: 12_022 },
        sources: { "vision.window": "the shape of visual.positional_embedding" },
        assumed: ["vision.heads", "vision.activation", "text.heads", "text.activation", "pixels"],
        ...{ tokenizer: null, dtypes: { F32: 48 } },
      },
    };
    const same = { file, format: "safetensors", naming: "OpenAI", wrappers: [], metadata: { note: "mine" } };
    expect(facts).toEqual({ ...same, published: null, preset: null, ...expected[kind] });
  });
});

describe("the kind of encoders", () => {
  const claim = (name: string, value: number | string, where = "config.json: key") => ({ name, value, where });

  it("is refused where claims contradict the weights or each other", () => {
    const check = (architecture: Architecture, ...claims: ReturnType<typeof claim>[]) =>
      messageOf(() => checkClaims("w.pt", architecture, claims));
    expect(
      linesOf([
        check(VIT, claim("vision.width", 32)),
        check(VIT, claim("vision.heads", 1, "a.json"), claim("vision.heads", 2, "b.json"), claim("embedding", 4)),
        check(VIT, claim("pixels", "SigLIP's")),
        check(VIT, claim("vision.stem", 1)),
        check(VIT, claim("vision.layers", 2), claim("vision.patchSize", 16), claim("vision.window", 65)),
        check(VIT, claim("text.contextLength", 77), claim("text.vocabulary", 8), claim("text.mlpWidth", 30)),
        check(RESNET, claim("vision.layers", "1,1,1,1"), claim("vision.window", 96), claim("vision.heads", 4)),
        check(RESNET, claim("text.activation", "gelu")),
        check(SIGLIP, claim("vision.window", 42)),
        check(SIGLIP, claim("vision.window", 27)),
        messageOf(() => {
          requireKind("run", VIT, { vision: { heads: 2 }, text: { activation: "gelu" } });
        }),
      ]),
    ).toMatchInlineSnapshot(`
      "
      CheckpointError: w.pt: vision.width is 32 by config.json: key, but 16 by the shapes of its weights: which is right? Correct or move away the other one
      CheckpointError: w.pt: vision.heads is 2 by b.json, but 1 by a.json; embedding is 4 by config.json: key, but 8 by the shapes of its weights: which is right? Correct or move away the other one
      CheckpointError: w.pt: pixels is SigLIP's by config.json: key, but CLIP's by config.json: key: which is right? Correct or move away the other one
      CheckpointError: w.pt: vision.stem is 1 by config.json: key, but unknown by the shapes of its weights: which is right? Correct or move away the other one
      CheckpointError: w.pt: vision.layers is 2 by config.json: key, but 1 by the shapes of its weights; vision.patchSize is 16 by config.json: key, but 32 by the shapes of its weights; vision.window is 65 by config.json: key, but 64 by the shapes of its weights: which is right? Correct or move away the other one
      CheckpointError: w.pt: text.contextLength is 77 by config.json: key, but 7 by the shapes of its weights; text.vocabulary is 8 by config.json: key, but 9 by the shapes of its weights; text.mlpWidth is 30 by config.json: key, but 32 by the shapes of its weights: which is right? Correct or move away the other one
      CheckpointError: w.pt: vision.layers is 1,1,1,1 by config.json: key, but 1,2,1,1 by the shapes of its weights; vision.window is 96 by config.json: key, but 64 by the shapes of its weights; vision.heads is 4 by config.json: key, but 2 by config.json: key: which is right? Correct or move away the other one
      CheckpointError: w.pt: text.activation is gelu by config.json: key, but quick-gelu by config.json: key: which is right? Correct or move away the other one
      CheckpointError: w.pt: vision.window is 42 by config.json: key, but 28 by the shapes of its weights: which is right? Correct or move away the other one
      CheckpointError: w.pt: vision.window is 27 by config.json: key, but 28 by the shapes of its weights: which is right? Correct or move away the other one
      CheckpointError: run: vision.heads is 2 by what was asked for (--heads, --activation, model.architecture), but 1 by its record; text.activation is gelu by what was asked for (--heads, --activation, model.architecture), but quick-gelu by its record: which is right? Correct or move away the other one
      "
    `);
  });

  it("is agreed with by what says the same, a window that no patch fills among it", () => {
    const all = {
      ...{ "vision.width": 16, "vision.layers": 1, "vision.heads": 1, "vision.activation": "quick-gelu" },
      ...{ "vision.mlpWidth": 64, "vision.patchSize": 32, "vision.window": 64, "text.width": 8, "text.layers": 1 },
      ...{ "text.heads": 1, "text.activation": "quick-gelu", "text.mlpWidth": 32, "text.contextLength": 7 },
      ...{ "text.vocabulary": 9, embedding: 8, pixels: "CLIP's" },
    };
    const told = checkClaims(
      "w.pt",
      VIT,
      Object.entries(all).map(([name, value]) => claim(name, value, `says ${name}`)),
    );
    expect(told).toEqual({
      sources: {
        ...{ "vision.heads": "says vision.heads", "vision.activation": "says vision.activation" },
        ...{ "text.heads": "says text.heads", "text.activation": "says text.activation", pixels: "says pixels" },
        "vision.window": "the shape of visual.positional_embedding",
      },
      assumed: [],
    });
    for (const window of [28, 29, 41]) {
      expect(checkClaims("w.pt", SIGLIP, [claim("vision.window", window)]).assumed).toHaveLength(5);
    }
    expect(
      checkClaims("w.pt", RESNET, [claim("vision.activation", "gelu"), claim("vision.width", 4)]).sources,
    ).toStrictEqual({
      "vision.activation": "its kind: a ResNet",
      "vision.window": "the shape of visual.attnpool.positional_embedding",
    });
    requireKind("run", VIT, { vision: { heads: 1, activation: "quick-gelu" } });
    requireKind("run", VIT);
  });

  it("is that of the first claim, and that of the command line before the config's", () => {
    const claims = [claim("text.heads", 3), claim("vision.activation", "gelu"), claim("text.heads", 4)];
    expect(kindBy(claims)).toEqual({ vision: { activation: "gelu" }, text: { heads: 3 } });
    const config = { vision: { heads: 7, activation: "gelu" }, text: { heads: 5, activation: "gelu-tanh" } } as const;
    expect(kindAsked({ heads: 2, activation: "quick-gelu" }, config)).toEqual({
      vision: { heads: 2, activation: "quick-gelu" },
      text: { heads: 5, activation: "quick-gelu" },
    });
    expect(kindAsked({}, config)).toEqual(config);
    expect(kindAsked({ heads: 2 })).toEqual({ vision: { heads: 2 }, text: {} });
  });

  it("is written into a file's metadata without what was assumed, and read back", () => {
    const kind = { vision: { heads: 2, activation: "gelu" }, text: { heads: 3 }, pixels: "SigLIP's" } as const;
    const all = kindMetadata(kind);
    expect(all).toEqual({
      "liqe.encoders": '{"vision":{"heads":2,"activation":"gelu"},"text":{"heads":3},"pixels":"SigLIP\'s"}',
    });
    expect(recordedKind("w", all)).toEqual(kind);
    expect(kindMetadata(kind, ["vision.heads", "text.activation", "pixels"])).toEqual({
      "liqe.encoders": '{"vision":{"activation":"gelu"},"text":{"heads":3}}',
    });
    expect(kindMetadata({})).toEqual({ "liqe.encoders": '{"vision":{},"text":{},"pixels":"CLIP\'s"}' });
    expect(recordedKind("w", { other: "{}" })).toEqual({});
    expect(messageOf(() => recordedKind("w", { "liqe.encoders": '{"vision":{"heads":0}}' }))).toBe(
      'CheckpointError: w: its metadata liqe.encoders is "{"vision":{"heads":0}}", which is not known; it needs a newer liqe-train',
    );
  });

  it("is said by the file's own record, then by what was asked for", async () => {
    const record = kindMetadata({ vision: { heads: 2 }, text: { activation: "gelu" }, pixels: "CLIP's" });
    const asked = { vision: { heads: 2, activation: "gelu" }, text: { heads: 4 } } as const;
    const { sources, assumed, architecture } = await inspectWeights(await written(VIT, record), { kind: asked });
    const [own, said] = ["the file's own record", "what was asked for (--heads, --activation, model.architecture)"];
    expect(sources).toEqual({
      ...{ "vision.heads": own, "vision.activation": said, "text.heads": said, "text.activation": own, pixels: own },
      "vision.window": "the shape of visual.positional_embedding",
    });
    expect(assumed).toEqual([]);
    expect(architecture).toMatchObject({ vision: asked.vision, text: { heads: 4, activation: "gelu" } });
  });

  it("is told in a line where it was assumed", () => {
    const all = ["vision.heads", "vision.activation", "text.heads", "text.activation", "pixels"];
    const note = (architecture: Architecture, assumed = all) => String(assumptionNote("w.pt", architecture, assumed));
    expect(
      linesOf([
        note(PRESETS["vit-b-32"]),
        note(PRESETS["vit-b-32"], ["vision.activation"]),
        note(PRESETS.rn50),
        note(SIGLIP),
        note(SIGLIP, ["text.activation", "pixels"]),
        note(VIT, []),
      ]),
    ).toMatchInlineSnapshot(`
      "
      w.pt: nothing in it or beside it says vision.heads, vision.activation, text.heads, text.activation, pixels; taken for OpenAI's kind (12 heads of 64 in the image tower, QuickGELU, 8 of 64 in the text tower, CLIP's pixel statistics); a config.json beside it, model.architecture, --heads and --activation say otherwise
      w.pt: nothing in it or beside it says vision.activation; taken for OpenAI's kind (QuickGELU); a config.json beside it, model.architecture, --heads and --activation say otherwise
      w.pt: nothing in it or beside it says vision.heads, vision.activation, text.heads, text.activation, pixels; taken for OpenAI's kind (32 heads of 64 in the image tower, 8 of 64 in the text tower, QuickGELU, CLIP's pixel statistics); a config.json beside it, model.architecture, --heads and --activation say otherwise
      w.pt: nothing in it or beside it says vision.heads, vision.activation, text.heads, text.activation, pixels; taken for the published SigLIPs' kind (1 heads of 12 in the image tower, GELU by tanh, 1 of 8 in the text tower, SigLIP's pixel statistics); a config.json beside it, model.architecture, --heads and --activation say otherwise
      w.pt: nothing in it or beside it says text.activation, pixels; taken for the published SigLIPs' kind (SigLIP's pixel statistics); a config.json beside it, model.architecture, --heads and --activation say otherwise
      null
      "
    `);
  });
});

describe("someOf", () => {
  it("lists five, and counts the others", () => {
    const list = (count: number) => someOf(Array.from({ length: count }, (_, i) => `n${i + 1}`));
    expect([0, 1, 4, 5, 6, 12].map(list)).toEqual([
      "",
      "n1",
      "n1, n2, n3, n4",
      "n1, n2, n3, n4, n5",
      "n1, n2, n3, n4, n5, and 1 more",
      "n1, n2, n3, n4, n5, and 7 more",
    ]);
  });
});

describe("inferArchitecture", () => {
  const infer = (architecture: Architecture, change: Readonly<Record<string, readonly number[] | null>>, from = "") => {
    const shapes = new Map([...parameterShapes(architecture)].filter(([name]) => from === "" || name.startsWith(from)));
    for (const [name, shape] of Object.entries(change)) {
      if (shape === null) shapes.delete(name);
      else shapes.set(name, shape);
    }
    return messageOf(() => inferArchitecture(shapes, "w.pt"));
  };
  const ofNames = (...names: readonly string[]) => {
    const shapes: Shapes = new Map(names.map((name) => [name, [1]]));
    return messageOf(() => inferArchitecture(shapes, "w.pt"));
  };

  it("says what a file is in place of one that can be used", () => {
    expect(
      linesOf([
        infer(SIGLIP, { "visual.conv1.weight": [12, 588] }),
        infer(VIT, { logit_bias: [] }),
        ofNames("visual.layer1.0.conv1.weight", "token_embedding.weight"),
        ofNames("visual.trunk.norm.weight", "token_embedding.weight"),
        ofNames("text.transformer.resblocks.0.ln_1.weight", "visual.proj"),
        ofNames("visual.proj"),
        ofNames("token_embedding.weight"),
        ofNames(),
        ofNames("a", "b"),
        ofNames("a", "b", "c", "d", "e", "f"),
      ]),
    ).toMatchInlineSnapshot(`
      "
      CheckpointError: w.pt: this is a SigLIP 2 of variable resolution (NaFlex); what can be used is CLIP with a vision transformer or a modified ResNet, of OpenAI's or open_clip's, and SigLIP or SigLIP 2 of fixed resolution, of transformers' or open_clip's
      CheckpointError: w.pt: this is a SigLIP with towers of other programs than transformers and open_clip; what can be used is CLIP with a vision transformer or a modified ResNet, of OpenAI's or open_clip's, and SigLIP or SigLIP 2 of fixed resolution, of transformers' or open_clip's
      CheckpointError: w.pt: this is a CLIP with a ResNet vision tower without CLIP's attention pooling; what can be used is CLIP with a vision transformer or a modified ResNet, of OpenAI's or open_clip's, and SigLIP or SigLIP 2 of fixed resolution, of transformers' or open_clip's
      CheckpointError: w.pt: this is a CLIP with a vision tower of the timm library; what can be used is CLIP with a vision transformer or a modified ResNet, of OpenAI's or open_clip's, and SigLIP or SigLIP 2 of fixed resolution, of transformers' or open_clip's
      CheckpointError: w.pt: this is a CLIP with a custom text tower of the open_clip library; what can be used is CLIP with a vision transformer or a modified ResNet, of OpenAI's or open_clip's, and SigLIP or SigLIP 2 of fixed resolution, of transformers' or open_clip's
      CheckpointError: w.pt: this is a vision tower alone (it has no token_embedding.weight); what can be used is CLIP with a vision transformer or a modified ResNet, of OpenAI's or open_clip's, and SigLIP or SigLIP 2 of fixed resolution, of transformers' or open_clip's
      CheckpointError: w.pt: this is a text tower alone (it has no visual.*); what can be used is CLIP with a vision transformer or a modified ResNet, of OpenAI's or open_clip's, and SigLIP or SigLIP 2 of fixed resolution, of transformers' or open_clip's
      CheckpointError: w.pt: this is a file without tensors of an encoder (learned prompts: name their checkpoint's folder); what can be used is CLIP with a vision transformer or a modified ResNet, of OpenAI's or open_clip's, and SigLIP or SigLIP 2 of fixed resolution, of transformers' or open_clip's
      CheckpointError: w.pt: this is no CLIP known here (its 2 tensors begin with a, b); what can be used is CLIP with a vision transformer or a modified ResNet, of OpenAI's or open_clip's, and SigLIP or SigLIP 2 of fixed resolution, of transformers' or open_clip's
      CheckpointError: w.pt: this is no CLIP known here (its 6 tensors begin with a, b, c, d, e, and 1 more); what can be used is CLIP with a vision transformer or a modified ResNet, of OpenAI's or open_clip's, and SigLIP or SigLIP 2 of fixed resolution, of transformers' or open_clip's
      "
    `);
  });

  it("says which parameter is missing, too many or of another shape", () => {
    const positions = "visual.positional_embedding";
    expect(
      linesOf([
        infer(VIT, { "visual.proj": null }),
        infer(VIT, { "visual.proj": [0, 8] }),
        infer(VIT, { "visual.proj": [16] }),
        infer(VIT, { "visual.proj": [16, 7] }),
        infer(VIT, { more: [1], "ln_final.bias": null, "ln_final.weight": [9] }),
        infer(VIT, { [positions]: [6, 16] }),
        infer(VIT, { [positions]: [1, 16] }),
        infer(SIGLIP, { [positions]: [5, 12] }),
        infer(RESNET, { "visual.attnpool.positional_embedding": [4, 128] }),
        infer(VIT, { positional_embedding: [7, 65] }),
        infer(VIT, { [positions]: [5, 65] }),
        messageOf(() => inferArchitecture(parameterShapes(VIT), "w.pt", { text: { heads: 3 } })),
        messageOf(() => inferArchitecture(parameterShapes(RESNET), "w.pt", { vision: { heads: 3 } })),
      ]),
    ).toMatchInlineSnapshot(`
      "
      CheckpointError: w.pt: visual.proj is missing, empty or has too few axes; is the file whole?
      CheckpointError: w.pt: visual.proj is [0, 8], needed [16, 8]; is the file whole?
      CheckpointError: w.pt: visual.proj is missing, empty or has too few axes; is the file whole?
      CheckpointError: w.pt: text_projection is [8, 8], needed [8, 7]; is the file whole?
      CheckpointError: w.pt: ln_final.weight is [9], needed [8], ln_final.bias is missing, more is unknown; is the file whole?
      CheckpointError: w.pt: visual.positional_embedding has 5 positions beside the first; CLIP has a square number of them
      CheckpointError: w.pt: visual.positional_embedding has 0 positions beside the first; CLIP has a square number of them
      CheckpointError: w.pt: visual.positional_embedding has 5 positions; SigLIP has a square number of them
      CheckpointError: w.pt: visual.attnpool.positional_embedding has 3 positions beside the first; CLIP has a square number of them
      CheckpointError: w.pt: its text tower of width 65 does not split into heads of 64, as CLIP's do; say how many it has: model.architecture.text.heads of a config
      CheckpointError: w.pt: its vision tower of width 65 does not split into heads of 64, as CLIP's do; say how many it has: model.architecture.vision.heads of a config, --heads N
      CheckpointError: w.pt: its text tower of width 8 does not split into 3 heads
      CheckpointError: w.pt: its attention pooling of width 128 does not split into 3 heads
      "
    `);
  });

  it("reads small towers, and takes the kind that is known", () => {
    const kind = { vision: { heads: 4, activation: "gelu" }, text: { heads: 2, activation: "gelu-tanh" } } as const;
    for (const architecture of [VIT, RESNET, SIGLIP]) {
      const shapes = parameterShapes(architecture);
      expect(inferArchitecture(shapes, "w.pt", { vision: { heads: architecture.vision.heads } })).toEqual(architecture);
      const { vision, text } = inferArchitecture(shapes, "w.pt", kind);
      expect([vision.heads, text.heads, text.activation]).toEqual([4, 2, "gelu-tanh"]);
    }
    const narrow = { ...VIT, text: { ...TEXT, mlpWidth: 20 }, vision: { ...VIT.vision, layers: 0 } } as Architecture;
    expect(inferArchitecture(parameterShapes(narrow), "w.pt")).toEqual(narrow);
  });

  it.each([
    [1152, 16],
    [1536, 16],
    [768, 12],
    [48, 1],
  ])("takes SigLIP's towers of width %i to have %i heads", (width, heads) => {
    const wide = { ...SIGLIP, vision: { ...SIGLIP.vision, width, heads }, text: { ...SIGLIP.text, width, heads }, embedding: width }; // prettier-ignore
    expect(inferArchitecture(parameterShapes(wide), "w.pt")).toEqual(wide);
  });
});

describe("weights that are asked for", () => {
  it("are refused with the differences from a preset", () => {
    expect(
      linesOf([
        messageOf(() => {
          checkPreset("w.pt", PRESETS["vit-b-16"], "ViT-B/32");
        }),
        messageOf(() => {
          checkPreset("w.pt", VIT, "rn50");
        }),
        messageOf(() => {
          checkPreset("w.pt", PRESETS["vit-b-32"], "vit_b_32");
        }),
      ]),
    ).toMatchInlineSnapshot(`
      "
      CheckpointError: w.pt: holds vit-b-16, not vit-b-32: visual.positional_embedding is [197, 768], needed [50, 768], visual.conv1.weight is [768, 3, 16, 16], needed [768, 3, 32, 32]; set model.preset to what it is
      CheckpointError: w.pt: holds another architecture, not rn50: visual.conv1.weight is [16, 3, 32, 32], needed [32, 3, 3, 3], visual.bn1.weight is missing, visual.bn1.bias is missing, visual.bn1.running_mean is missing, visual.bn1.running_var is missing, and 447 more; set model.preset to what it is
      no refusal: undefined
      "
    `);
  });

  it("are refused for a size of images that their patches do not fill", async () => {
    const told = async (architecture: Architecture, imageSize: number) => {
      const file = await written(architecture);
      const open = openParameters(file, { imageSize });
      const message = open.then(
        async ({ close, architecture: { vision }, shapes }) => {
          await close();
          const positions = [...shapes].find(([name]) => name.includes("visual") && name.includes("positional"));
          return `${vision.imageSize}: ${positions?.join(" ") ?? ""}`;
        },
        (error: unknown) => String(error).replace(file, basename(file)),
      );
      return message;
    };
    expect(
      linesOf(
        await Promise.all([
          ...[64, 96, 100, 0, -32].map((size) => told(VIT, size)),
          ...[64, 96, 100].map((size) => told(RESNET, size)),
          ...[28, 42, 43].map((size) => told(SIGLIP, size)),
        ]),
      ),
    ).toMatchInlineSnapshot(`
      "
      64: visual.positional_embedding 5,16
      96: visual.positional_embedding 10,16
      CheckpointError: toy.safetensors: takes images in multiples of 32 pixels, not of 100
      CheckpointError: toy.safetensors: takes images in multiples of 32 pixels, not of 0
      CheckpointError: toy.safetensors: takes images in multiples of 32 pixels, not of -32
      64: visual.attnpool.positional_embedding 5,128
      96: visual.attnpool.positional_embedding 10,128
      CheckpointError: toy.safetensors: takes images in multiples of 32 pixels, not of 100
      28: visual.positional_embedding 4,12
      42: visual.positional_embedding 9,12
      CheckpointError: toy.safetensors: takes images in multiples of 14 pixels, not of 43
      "
    `);
  });

  it("have features of prompts beside them, or among them where they were learned", async () => {
    const file = join(temporaryFolder(), "features.safetensors");
    const features = { shape: [2, 8], values: Float32Array.from({ length: 16 }, (_, i) => i) };
    const arrays = new Map([...initialParameters(VIT, 1), ["prompt_features", features]]);
    await writeDurable(file, (handle) => writeSafetensors(handle, arrays));
    const stored = await loadParameters(file);
    expect(stored.storedFeatures).toEqual(features);
    expect(stored.parameters.has("prompt_features")).toBe(false);
    await writeDurable(file, (handle) => writeSafetensors(handle, arrays, { "liqe.prompts": "learned" }));
    const learned = await loadParameters(file);
    expect(learned.storedFeatures).toBeNull();
    expect(learned.parameters.get("prompt_features")).toEqual(features);
    const plain = await loadParameters(await written(VIT));
    expect([plain.storedFeatures, plain.parameters.has("prompt_features")]).toEqual([null, false]);
  });
});

describe("convertWeights", () => {
  it("reports every byte, and gives a line on what was assumed", async () => {
    const file = await written(VIT);
    const out = join(dirname(file), "out", "converted.safetensors");
    const events: unknown[] = [];
    const note = await convertWeights(file, out, { report: (event) => events.push(event) });
    const bytes = 4 * [...parameterShapes(VIT)].reduce((sum, [, shape]) => sum + shape.reduce((a, b) => a * b, 1), 0);
    expect(events.at(-1)).toEqual({ label: "convert", done: bytes, total: bytes, unit: "bytes" });
    expect(events).toHaveLength(parameterShapes(VIT).size);
    expect(note).toMatch(/^.*toy\.safetensors: nothing in it or beside it says vision\.heads, .*pixels; taken for/);
    const header = readFileSync(out).subarray(8).toString("latin1");
    expect(header.startsWith('{"__metadata__":{"format":"pt","liqe.encoders":"{\\"vision\\":{},\\"text\\":{}}"}')).toBe(
      true,
    );
    const kind = { vision: { heads: 2, activation: "gelu" }, text: { heads: 1, activation: "gelu" } } as const;
    writeFileSync(
      join(dirname(file), "preprocessor_config.json"),
      JSON.stringify({
        image_mean: [0.48145466, 0.4578275, 0.40821073],
        image_std: [0.26862954, 0.26130258, 0.27577711],
      }),
    );
    expect(await convertWeights(file, out, { report: () => undefined, kind })).toBeNull();
  });

  it("refuses to write over what it reads, beside another tokenizer, or out of nothing", async () => {
    const folder = temporaryFolder();
    const convert = (file: string, out: string) =>
      convertWeights(file, join(folder, out), { report: () => undefined }).then(
        () => "written",
        (error: unknown) => String(error).replaceAll(`${folder}/`, ""),
      );
    const tokenizer = (kind: string) => Buffer.from(SIGLIPS.tokenizers[kind]?.base64 ?? "", "base64");
    const own = await written({ ...SIGLIP, text: { ...SIGLIP.text, vocabulary: 60 } });
    writeFileSync(join(dirname(own), "spiece.model"), tokenizer("unigram"));
    writeFileSync(join(folder, "tokenizer.json"), tokenizer("byte pairs"));
    const file = join(folder, "vit.safetensors");
    await writeDurable(file, (handle) => writeSafetensors(handle, initialParameters(VIT, 1)));
    expect(
      linesOf([
        await convert(file, "vit.safetensors"),
        await convert(file, "out.pt"),
        await convert(join(folder, "none.pt"), "none.safetensors"),
        await convert(own, "siglip.safetensors"),
        await convert(own, "new/siglip.safetensors"),
        await convert(own, "new/again.safetensors"), // beside its own tokenizer
      ]),
    ).toMatchInlineSnapshot(`
      "
      ConfigError: vit.safetensors: is the file that is read; give another one (--out)
      ConfigError: out.pt: what is written is safetensors; give it a name that ends in .safetensors
      CheckpointError: none.pt: cannot be opened, there is no such file; is the path right?
      ConfigError: siglip.safetensors: tokenizer.json of another tokenizer is beside it; give a folder of its own
      written
      written
      "
    `);
    expect(readFileSync(join(folder, "new", "spiece.model")).equals(tokenizer("unigram"))).toBe(true);
    expect((await inspectWeights(join(folder, "new", "siglip.safetensors"))).naming).toBe("Hugging Face");
  });
});

describe("OPENAI_FILES", () => {
  it("has the files of OpenAI's presets, by the beginnings of their checksums", () => {
    const lines = Object.entries(OPENAI_FILES).map(
      ([preset, { file, sha256, bytes }]) => `${preset} ${file} ${sha256.slice(0, 8)} ${bytes ?? "?"}`,
    );
    expect(linesOf(lines)).toMatchInlineSnapshot(`
      "
      vit-b-32 ViT-B-32.pt 40d36571 353976522
      vit-b-16 ViT-B-16.pt 5806e77c 350837078
      vit-l-14 ViT-L-14.pt b8cca3fd 932768134
      vit-l-14-336 ViT-L-14-336px.pt 3035c92b ?
      rn50 RN50.pt afeb0e10 ?
      rn101 RN101.pt 8fa8567b ?
      rn50x4 RN50x4.pt 7e526bd1 ?
      rn50x16 RN50x16.pt 52378b40 ?
      rn50x64 RN50x64.pt be1cfb55 ?
      "
    `);
    expect(messageOf(() => publishedFile("vit-tiny"))).toMatchInlineSnapshot(
      `"ConfigError: weights fetch: OpenAI published no vit-tiny; there are vit-b-32, vit-b-16, vit-l-14, vit-l-14-336, rn50, rn101, rn50x4, rn50x16, rn50x64"`,
    );
  });

  it("are not looked for in a file of another size", async () => {
    expect(await recognizeFile(await written(VIT))).toBeNull();
  });
});

import { mkdir } from "node:fs/promises";
import path from "node:path";
import { makeFolders } from "../../base/folders.js";
import { ConfigError } from "../../base/errors.js";
import { writeDurable } from "../../base/files.js";
import { MANIFEST_FILE } from "../../inference/manifest.js";
import {
  type Architecture,
  isVit,
  kindOf,
  type TextArchitecture,
  type VisionKind,
  type VisionTransformer,
} from "../../model/architecture/architecture.js";
import {
  hasLearnedPrompts,
  LEARNED,
  networkArrays,
  PROMPT_FEATURES,
  PROMPTS_RECORD,
} from "../../model/parameters/learnedPrompts.js";
import { mlpWidthOf } from "../../model/parameters/shapes.js";
import { END_TOKEN } from "../../model/text/tokenizer.js";
import { CLIP_MEAN, CLIP_STD } from "../../model/vision/patches.js";
import { hiddenActOf, STEM_MODEL_TYPE } from "../../model/weights/kind/claims.js";
import { kindMetadata } from "../../model/weights/kind/encoderKind.js";
import { streamSafetensors } from "../../model/weights/safetensors.js";
import { toTransformers } from "../../model/weights/transformersNames.js";
import { checksums, describeExport } from "../describeExport.js";
import { type ExportFormat, type ExportSource, refuseFewTokens, roundedInStateDict, type Storage, storedAs } from "../exportFormat.js"; // prettier-ignore
import { readBackHere } from "../golden/parity.js";
import { onnxFormat } from "../onnx/onnxFormat.js";
import { tfjsFormat } from "../tfjs/tfjsFormat.js";
import { evaluationResults, modelCard } from "./modelCard.js";
import { CLASSES, modelingCode, MODULE } from "./modelingCode.js";

const FILE = "model.safetensors";

/** Exports that lie inside, each in a folder of its name. */
const PARTS = [onnxFormat, tfjsFormat] as const;

/** Folder of a Hugging Face model repository: weights for transformers, ONNX and browsers, card and results. */
export const hubFormat: ExportFormat = {
  name: "hub",
  dtypes: ["f32", "f16"],
  examples: [
    {
      title: "PyTorch",
      language: "python",
      code: `
from PIL import Image
from transformers import AutoModel  # pip install transformers torch pillow numpy

model = AutoModel.from_pretrained(".", trust_remote_code=True)  # this folder, or the repository's name
print(model.score(Image.open("photo.jpg")))  # the code that is trusted is ${MODULE}.py`,
    },
    {
      title: "ONNX",
      language: "python",
      code: (window) => `
import numpy as np, onnxruntime as ort  # pip install onnxruntime numpy pillow
from PIL import Image

image = np.asarray(Image.open("photo.jpg").convert("RGB"))  # [rows, cols, 3] uint8, of any size from ${window} on
session = ort.InferenceSession("onnx/model-image.onnx")
result = dict(zip([o.name for o in session.get_outputs()], session.run(None, {"image": image})))
print(float(result["quality"]), result["levels"])`,
    },
    {
      title: "Browsers",
      language: "js",
      code: `
import "@tensorflow/tfjs-backend-webgl";
import { Liqe } from "liqe-train/inference";

const liqe = await Liqe.load("https://huggingface.co/OWNER/NAME/resolve/main/tfjs/");
const { quality, scene, distortion } = await liqe.score(await createImageBitmap(file));`,
    },
    { title: "liqe-train", language: "bash", code: "npx liqe predict photo.jpg --checkpoint . # this folder" },
  ],
  card: modelCard,
  check: async (source) => {
    visionOf(source.architecture);
    refuseFewTokens("hub", source);
    for (const { check } of PARTS) await check(source);
  },
  rounded: roundedInStateDict,
  write: async (folder, source, storage) => {
    await writeWeights(path.join(folder, FILE), source, storage);
    const texts = {
      "config.json": json(transformersConfig(source)),
      "preprocessor_config.json": json(preprocessor(source.architecture.vision.imageSize)),
      [`${MODULE}.py`]: modelingCode(source.architecture.vision.imageSize),
      ...evaluationResults(source),
    };
    for (const [name, text] of Object.entries(texts)) {
      await makeFolders(path.dirname(path.join(folder, name)));
      await writeDurable(path.join(folder, name), (handle) => handle.writeFile(text));
    }
    for (const part of PARTS) await writePart(path.join(folder, part.name), part, { source, storage });
  },
  open: async (folder, source) => {
    const [own, ...parts] = [
      await readBackHere(folder, FILE),
      ...(await Promise.all(PARTS.map(({ name, open }) => open(path.join(folder, name), source)))),
    ];
    return {
      ...own,
      runtime: [own, ...parts].map(({ runtime }) => runtime).join(", "),
      others: parts.flatMap(({ score, others = [] }) => [score, ...others]),
      close: async () => {
        for (const { close } of [own, ...parts]) await close();
      },
    };
  },
};

/** Writes the network's weights under transformers' names, and the prompts' features, learned or encoded, in float32. */
function writeWeights(file: string, { weights, architecture, promptFeatures }: ExportSource, storage: Storage) {
  const tensors = toTransformers(networkArrays(weights));
  const prompts = promptFeatures.length / architecture.embedding;
  const shapes = new Map([...tensors].map(([name, { shape }]) => [name, shape]));
  shapes.set(PROMPT_FEATURES, [prompts, architecture.embedding]);
  return writeDurable(file, (handle) =>
    streamSafetensors(handle, {
      shapes,
      values: (name) => Promise.resolve(tensors.get(name)?.values() ?? promptFeatures),
      metadata: {
        ...{ format: "pt", ...kindMetadata(kindOf(architecture)) },
        ...(hasLearnedPrompts(weights) && { [PROMPTS_RECORD]: LEARNED }),
      },
      dtypeOf: (name, shape) => {
        const source = tensors.get(name)?.source;
        return source === undefined ? "F32" : storedAs(storage, source, shape);
      },
    }),
  );
}

type Model = { readonly source: ExportSource; readonly storage: Storage };

/** Writes another export inside of this one, with its manifest; notes and golden scores are those around it. */
async function writePart(folder: string, format: ExportFormat, { source, storage }: Model): Promise<void> {
  await mkdir(folder);
  await format.write(folder, source, storage);
  const description = { ...describeExport(format.name, storage, source), licence: "../LICENSE-NOTES" };
  const manifest = { ...description, files: await checksums(folder) };
  await writeDurable(path.join(folder, MANIFEST_FILE), (handle) => handle.writeFile(json(manifest)));
}

function json(value: unknown): string {
  return `${JSON.stringify(value, null, 1)}\n`;
}

/** Image encoders that transformers' CLIPModel has not, in a sentence, each with the formats that take them. */
const OTHERS: Readonly<Record<Exclude<VisionKind, "vit">, { readonly what: string; readonly formats: string }>> = {
  resnet: { what: "model's image encoder is a ResNet", formats: "safetensors, openai, onnx or tfjs" },
  siglip: { what: "model is a SigLIP", formats: "safetensors, onnx or tfjs" },
};

/** The image encoder, which has to be a vision transformer. @throws {ConfigError} where it is not */
function visionOf({ vision }: Architecture): VisionTransformer {
  if (isVit(vision)) return vision;
  const { what, formats } = OTHERS[vision.kind];
  throw new ConfigError(
    `hub: transformers' CLIPModel has CLIP's vision transformers alone, and this ${what}; ` + `export ${formats}`,
  );
}

/** `config.json` of transformers; all that a score needs besides is under `liqe`. */
function transformersConfig({ architecture, grid, packageVersion }: ExportSource) {
  const { text, embedding } = architecture;
  const vision = visionOf(architecture);
  const tower = (transformer: VisionTransformer | TextArchitecture) => {
    const { width, layers, heads, activation } = transformer;
    return {
      ...{ hidden_size: width, intermediate_size: mlpWidthOf(transformer), num_hidden_layers: layers },
      ...{ num_attention_heads: heads, hidden_act: hiddenActOf(activation), layer_norm_eps: 1e-5 },
      projection_dim: embedding,
    };
  };
  const isPlain = vision.stem === "patch";
  const stemClasses = { AutoConfig: `${MODULE}.${CLASSES.stemConfig}`, AutoModel: `${MODULE}.${CLASSES.stem}` };
  return {
    architectures: [isPlain ? CLASSES.patch : CLASSES.stem],
    auto_map: isPlain ? { AutoModel: `${MODULE}.${CLASSES.patch}` } : stemClasses,
    model_type: isPlain ? "clip" : STEM_MODEL_TYPE,
    ...{ projection_dim: embedding, dtype: "float32", torch_dtype: "float32" }, // float16 weights are computed with so, too
    vision_config: { ...tower(vision), image_size: vision.imageSize, patch_size: vision.patchSize, num_channels: 3 },
    text_config: {
      ...tower(text),
      ...{ vocab_size: text.vocabulary, max_position_embeddings: text.contextLength },
      ...{ bos_token_id: END_TOKEN - 1, eos_token_id: END_TOKEN },
    },
    liqe: {
      ...{ template: grid.template, axes: grid.axes, mean: CLIP_MEAN, std: CLIP_STD, writtenBy: packageVersion },
      ...(isPlain ? {} : { stem: vision.stem }),
    },
  };
}

/** Preparation of a window for transformers' CLIP: as it is, since a photograph that is made smaller hides its faults. */
const preprocessor = (window: number) => ({
  image_processor_type: "CLIPImageProcessor",
  ...{ do_convert_rgb: true, do_resize: false, do_center_crop: true, crop_size: { height: window, width: window } },
  ...{ do_rescale: true, rescale_factor: 1 / 255, do_normalize: true, image_mean: CLIP_MEAN, image_std: CLIP_STD },
});

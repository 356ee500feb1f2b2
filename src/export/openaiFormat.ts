import path from "node:path";
import { ConfigError, ExportMismatchError } from "../base/errors.js";
import {
  type Architecture,
  HEAD_WIDTH,
  isOpenAiKind,
  resNetOutput,
  type VitArchitecture,
} from "../model/architecture/architecture.js";
import { presetOf } from "../model/architecture/presets.js";
import { LARGE_STRIDE, LARGE_STRIDE_FROM, STRIDE } from "../model/preprocess/crops.js";
import { MAX_SHORTER_SIDE } from "../model/preprocess/resize.js";
import { openParameters } from "../model/weights/loadParameters.js";
import { LARGEST_ZIP, writeTorchFile } from "../model/weights/torch/writeTorch.js";
import {
  type ExportFormat,
  refuseFewTokens,
  refuseLearnedPrompts,
  roundedInStateDict,
  storedAs,
} from "./exportFormat.js";
import { GOLDEN_CROPS } from "./golden/goldenScores.js";
import { readBackHere } from "./golden/parity.js";

/** Plain state dict, as `model.load_state_dict(torch.load(file))` of the LIQE release takes it. */
const FILE = "liqe.pt";
/** The same tensors for IQA-PyTorch: under `params`, each name with the module that holds CLIP. */
const PYIQA_FILE = "liqe-pyiqa.pt";
const PYIQA_KEY = "params";
const PYIQA_PREFIX = "clip_model.";

/** PyTorch files with OpenAI's names of CLIP's tensors. */
export const openaiFormat: ExportFormat = {
  name: "openai",
  dtypes: ["f32", "f16"],
  examples: [
    {
      title: "PyTorch",
      language: "python",
      code: `
import torch

weights = torch.load("${FILE}", weights_only=True)  # OpenAI's names
print(weights["visual.proj"].shape, weights["logit_scale"].exp())`,
    },
    {
      title: "OpenAI's clip, and the LIQE release (LIQE.py, demo.py)",
      language: "python",
      preset: "vit-b-32",
      code: `
import clip, torch

model, _ = clip.load("ViT-B/32", device="cpu", jit=False)
model.load_state_dict(torch.load("${FILE}", map_location="cpu"))  # LIQE("${FILE}", device) does the same
# demo.py then prepares an image as said above; the class LIQE neither reduces it nor spreads its windows over it`,
    },
    {
      title: "IQA-PyTorch",
      language: "python",
      preset: "vit-b-32",
      code: `
import pyiqa
from PIL import Image
from torchvision.transforms.functional import to_tensor

# For the published prompts. It keeps the prompts' features of the first weights that it saw in its cache folder
# (~/.cache/pyiqa/liqe_text_feat_mix.pt): remove that file before these weights, and after them.
metric = pyiqa.create_metric("liqe_mix", pretrained_model_path="${PYIQA_FILE}")

def score(file):
    """As liqe predict does: of itself pyiqa does not reduce a large image, and has one stride for all."""
    image = Image.open(file).convert("RGB")
    shorter = min(image.size)
    if shorter > ${MAX_SHORTER_SIDE}:
        width, height = (${MAX_SHORTER_SIDE} * side // shorter for side in image.size)
        image = image.resize((width, image.height), Image.BILINEAR)  # columns, then rows, whatever Pillow's version
        image = image.resize((width, height), Image.BILINEAR)
    metric.net.step = ${LARGE_STRIDE} if max(image.size) >= ${LARGE_STRIDE_FROM} else ${STRIDE}
    metric.net.num_patch = ${GOLDEN_CROPS}  # it keeps a smaller number of an earlier image
    return float(metric(to_tensor(image).unsqueeze(0)))

print(score("photo.jpg"))`,
    },
  ],
  check: (source) => {
    const { weights, architecture } = source;
    refuseLearnedPrompts("openai", source);
    refuseFewTokens("openai", source);
    if (!isOpenAiKind(architecture)) return Promise.reject(new ConfigError(otherKind(architecture)));
    const bytes = [...weights.values()].reduce((sum, { values }) => sum + values.byteLength, 0);
    if (bytes <= 0.99 * LARGEST_ZIP) return Promise.resolve(); // the rest is for names and padding
    return Promise.reject(new ConfigError(`openai: ${bytes} bytes do not fit into one .pt file`));
  },
  rounded: roundedInStateDict,
  write: async (folder, { weights, architecture }, storage) => {
    const dtypeOf = (name: string, shape: readonly number[]) => storedAs(storage, name, shape);
    await writeTorchFile(path.join(folder, FILE), weights, { dtypeOf });
    if (!isKnownToPyiqa(architecture)) return;
    await writeTorchFile(path.join(folder, PYIQA_FILE), weights, { dtypeOf, prefix: PYIQA_PREFIX, key: PYIQA_KEY });
  },
  open: async (folder, { architecture }) => {
    if (isKnownToPyiqa(architecture)) await checkSame(path.join(folder, FILE), path.join(folder, PYIQA_FILE));
    return readBackHere(folder, FILE);
  },
};

function otherKind({ vision, text }: Architecture): string {
  if (vision.kind === "siglip") return "openai: this model is a SigLIP, which OpenAI's code, the format's reader, does not compute; export safetensors, onnx or tfjs"; // prettier-ignore
  const of = ({ activation, heads, width }: Architecture["text"] | VitArchitecture["vision"]) =>
    `${activation} and ${heads} heads of ${width / heads}`;
  const ofImages =
    vision.kind === "resnet" ? `${vision.heads} heads of ${resNetOutput(vision) / vision.heads}` : of(vision);
  return (
    `openai: OpenAI's code, which reads this format, computes quick-gelu and heads of ${HEAD_WIDTH}; this model has ` +
    `${ofImages} (image), ${of(text)} (text); export safetensors, onnx or tfjs`
  );
}

/** True for ViT-B/32, the only encoder of IQA-PyTorch's LIQE. */
function isKnownToPyiqa(architecture: Architecture): boolean {
  return presetOf(architecture) === "vit-b-32";
}

/** @throws {ExportMismatchError} where two files hold different numbers */
async function checkSame(first: string, second: string): Promise<void> {
  const [a, b] = [await openParameters(first), await openParameters(second)];
  try {
    for (const name of a.shapes.keys()) {
      const [x, y] = [await a.read(name), await b.read(name)];
      if (x.length === y.length && x.every((value, i) => value === y[i])) continue;
      throw new ExportMismatchError(`openai: ${name} is not the same in ${FILE} and ${PYIQA_FILE}; nothing was kept`);
    }
  } finally {
    await a.close();
    await b.close();
  }
}

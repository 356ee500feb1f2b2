import { STEM_MODEL_TYPE } from "../../model/weights/kind/claims.js";
import { cropsCode } from "../onnx/onnxFormat.js";

/** Module of a hub export with the classes that transformers loads by `trust_remote_code=True`. */
export const MODULE = "modeling_liqe";

/** Classes of that file: for CLIP's own patches, and for a hierarchical stem with its config. */
export const CLASSES = { patch: "LiqeModel", stem: "LiqeStemModel", stemConfig: "LiqeStemConfig" } as const;

/** Text of that file, for windows of a model's size. */
export function modelingCode(window: number): string {
  return [IMPORTS, cropsCode(window), CODE].join("\n\n\n");
}

const IMPORTS = `"""LIQE on transformers' CLIPModel: quality, scene and distortion of a photograph by the features of its prompts."""
import math

import numpy as np
import torch
from PIL import Image
from torch import nn
from transformers import CLIPConfig, CLIPModel`;

const CODE = `class ${CLASSES.patch}(CLIPModel):
    """CLIPModel with the features of the prompts, [prompts, embedding], unit rows: scoring needs no tokenizer."""

    def __init__(self, config):
        super().__init__(config)
        self.axes = config.liqe["axes"]
        prompts = math.prod(len(axis["labels"]) for axis in self.axes)
        self.register_buffer("prompt_features", torch.zeros(prompts, config.projection_dim))

    @torch.no_grad()
    def crop_logits(self, crops):
        """[n, 3, window, window], RGB, 0 to 1 -> [n, prompts], last axis of the prompts fastest."""
        mean, std = (torch.tensor(self.config.liqe[name], device=crops.device).view(3, 1, 1) for name in ("mean", "std"))
        pooled = self.vision_model(pixel_values=(crops - mean) / std).pooler_output
        features = nn.functional.normalize(self.visual_projection(pooled).float(), dim=-1)
        return self.logit_scale.exp().float() * features @ self.prompt_features.float().T

    def score(self, image):
        """Quality from 1 (bad) to 5 (perfect), labels and probabilities of a PIL image, whose sides have a window's pixels or more."""
        crops = torch.from_numpy(crops_of(image.convert("RGB")))
        joint = self.crop_logits(crops.to(self.device)).mean(0).double().softmax(0)
        joint = joint.view([len(axis["labels"]) for axis in self.axes])
        result = {"probabilities": {}}
        for i, axis in enumerate(self.axes):
            marginal = joint.sum([j for j in range(joint.dim()) if j != i]) if joint.dim() > 1 else joint
            probabilities = dict(zip(axis["labels"], marginal.tolist()))
            result["probabilities"][axis["axis"]] = probabilities
            if axis["axis"] == "quality":
                result["quality"] = sum(level * p for level, p in enumerate(probabilities.values(), 1))
            else:
                result[axis["axis"]] = max(probabilities, key=probabilities.get)
        return result


class StemLevel(nn.Conv2d):
    """Patches of stride x stride pixels that do not overlap: a linear map, then layer norm."""

    def __init__(self, channels, width, stride):
        super().__init__(channels, width, stride, stride)
        self.norm = nn.LayerNorm(width, eps=1e-5)

    def forward(self, pixels):
        return self.norm(super().forward(pixels).permute(0, 2, 3, 1)).permute(0, 3, 1, 2)


class Stem(nn.ModuleList):
    """Hierarchical stem (hMLP, arXiv 2203.09795), with GELU between its levels."""

    def __init__(self, levels):
        widths = [3] + [level["width"] for level in levels]
        super().__init__(StemLevel(widths[i], level["width"], level["stride"]) for i, level in enumerate(levels))

    @property
    def weight(self):  # CLIP's embeddings ask it for their type
        return self[0].weight

    def forward(self, pixels):
        for i, level in enumerate(self):
            pixels = level(pixels if i == 0 else nn.functional.gelu(pixels))
        return pixels


class ${CLASSES.stemConfig}(CLIPConfig):
    model_type = "${STEM_MODEL_TYPE}"


class ${CLASSES.stem}(${CLASSES.patch}):
    """${CLASSES.patch} whose patches go through a hierarchical stem, which CLIPModel does not have."""

    config_class = ${CLASSES.stemConfig}

    def __init__(self, config):
        super().__init__(config)
        self.vision_model.embeddings.patch_embedding = Stem(config.liqe["stem"])
`;

import path from "node:path";
import { writeDurable } from "../base/files.js";
import type { NamedArrays } from "../model/parameters/parameters.js";
import { kindOf } from "../model/architecture/architecture.js";
import { kindMetadata } from "../model/weights/kind/encoderKind.js";
import { streamSafetensors } from "../model/weights/safetensors.js";
import { writeTokenizer } from "../model/weights/tokenizer/readTokenizer.js";
import { inFileNames, toTransformers } from "../model/weights/transformersNames.js";
import {
  type ExportFormat,
  refuseFewTokens,
  refuseLearnedPrompts,
  roundedInStateDict,
  type Storage,
  storedAs,
} from "./exportFormat.js";
import { readBackHere } from "./golden/parity.js";

const FILE = "model.safetensors";

/** Tensors that stay float32, by their names in the file and OpenAI's. */
function keptNames(weights: NamedArrays, { exact }: Storage): ReadonlySet<string> {
  const theirs = [...toTransformers(weights)].flatMap(([name, { source }]) => (exact.has(source) ? [name] : []));
  return new Set([...exact, ...theirs]);
}

/**
 * A safetensors file with OpenAI's names of CLIP's tensors, which this package trains from and scores with; of a SigLIP
 * with transformers' names, and its tokenizer beside it.
 */
export const safetensorsFormat: ExportFormat = {
  name: "safetensors",
  dtypes: ["f32", "f16"],
  examples: [
    { title: "liqe-train", language: "bash", code: "npx liqe predict photo.jpg --checkpoint . # this folder" },
    {
      title: "Python: the tensors",
      language: "python",
      code: `
from safetensors.torch import load_file  # pip install safetensors torch

weights = load_file("${FILE}")
print(len(weights), weights["logit_scale"].exp())`,
    },
  ],
  check: (source) => {
    refuseLearnedPrompts("safetensors", source);
    refuseFewTokens("safetensors", source);
    return Promise.resolve();
  },
  rounded: roundedInStateDict,
  write: async (folder, { weights, architecture, tokenizer }, storage) => {
    const tensors = inFileNames(weights);
    const isKept = keptNames(weights, storage);
    await writeDurable(path.join(folder, FILE), async (handle) => {
      const shapes = new Map([...tensors].map(([name, { shape }]) => [name, shape]));
      const values = (name: string) => Promise.resolve(tensors.get(name)?.values ?? new Float32Array());
      const metadata = { format: "pt", ...kindMetadata(kindOf(architecture)) };
      const dtypeOf = (name: string, shape: readonly number[]) => storedAs({ ...storage, exact: isKept }, name, shape);
      await streamSafetensors(handle, { shapes, values, metadata, dtypeOf });
    });
    if (tokenizer) await writeTokenizer(folder, tokenizer);
  },
  open: (folder) => readBackHere(folder, FILE),
};

import path from "node:path";
import { writeDurable } from "../base/files.js";
import { kindOf } from "../model/architecture/architecture.js";
import { kindMetadata } from "../model/weights/kind/encoderKind.js";
import { streamSafetensors } from "../model/weights/safetensors.js";
import { type ExportFormat, refuseLearnedPrompts, roundedInStateDict, storedAs } from "./exportFormat.js";
import { readBackHere } from "./golden/parity.js";

const FILE = "model.safetensors";

/** A safetensors file with OpenAI's names of CLIP's tensors, which this package trains from and scores with. */
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
print(weights["visual.proj"].shape, weights["logit_scale"].exp())`,
    },
  ],
  check: (source) => {
    refuseLearnedPrompts("safetensors", source);
    return Promise.resolve();
  },
  rounded: roundedInStateDict,
  write: (folder, { weights, architecture }, storage) =>
    writeDurable(path.join(folder, FILE), async (handle) => {
      const shapes = new Map([...weights].map(([name, { shape }]) => [name, shape]));
      const values = (name: string) => Promise.resolve(weights.get(name)?.values ?? new Float32Array());
      const metadata = { format: "pt", ...kindMetadata(kindOf(architecture)) };
      const dtypeOf = (name: string, shape: readonly number[]) => storedAs(storage, name, shape);
      await streamSafetensors(handle, { shapes, values, metadata, dtypeOf });
    }),
  open: (folder) => readBackHere(folder, FILE),
};

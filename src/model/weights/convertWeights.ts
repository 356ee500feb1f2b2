import { randomUUID } from "node:crypto";
import { realpath, rename, rm } from "node:fs/promises";
import path from "node:path";
import { ConfigError } from "../../base/errors.js";
import { syncFolder, writeDurable } from "../../base/files.js";
import { makeFolders } from "../../base/folders.js";
import type { ReportProgress } from "../../base/types.js";
import { countParameters } from "../parameters/shapes.js";
import { type LoadOptions, openParameters } from "./loadParameters.js";
import { streamSafetensors } from "./safetensors.js";

/**
 * Writes a CLIP checkpoint of any format as safetensors: OpenAI's names, float32, one tensor in memory at a time.
 * `out` appears whole or not at all; what was there before is replaced only then.
 *
 * @throws {CheckpointError} when the file is refused; `out` is untouched then
 * @throws {ConfigError} when `out` does not end in .safetensors, or is `file` itself
 */
export async function convertWeights(
  file: string,
  out: string,
  options: LoadOptions & { readonly report: ReportProgress },
): Promise<void> {
  if (!out.endsWith(".safetensors")) {
    throw new ConfigError(`${out}: what is written is safetensors; give it a name that ends in .safetensors`);
  }
  if (await isSameFile(file, out)) throw new ConfigError(`${out}: is the file that is read; give another one (--out)`);
  const { shapes, read, close } = await openParameters(file, options);
  const total = Float32Array.BYTES_PER_ELEMENT * countParameters(shapes);
  const staged = path.join(path.dirname(out), `.tmp-${randomUUID()}`);
  try {
    await makeFolders(path.dirname(out));
    await writeDurable(staged, async (handle) => {
      let done = 0;
      const next = async (name: string) => {
        const values = await read(name);
        done += values.byteLength;
        options.report({ label: "convert", done, total, unit: "bytes" });
        return values;
      };
      await streamSafetensors(handle, shapes, next, { format: "pt" }); // the note that PyTorch's programs look for
    });
    await rename(staged, out);
    await syncFolder(path.dirname(out));
  } finally {
    await close();
    await rm(staged, { force: true });
  }
}

async function isSameFile(one: string, other: string): Promise<boolean> {
  const [first, second] = await Promise.all([one, other].map((file) => realpath(file).catch(() => null)));
  return first !== null && first === second;
}

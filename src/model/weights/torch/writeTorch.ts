import { writeDurable } from "../../../base/files.js";
import type { NamedArrays } from "../../parameters/parameters.js";
import type { FloatDtype } from "../float16.js";
import { toFloat16 } from "../float16.js";
import { orderedDict, pickled, tensor } from "./pickleWriter.js";
import { ZipWriter } from "./zipWriter.js";

/** The folder that all entries are in; its name is free. */
const FOLDER = "archive";
/** Of PyTorch's zip format, since 1.6. */
const FORMAT_VERSION = "3\n";

export interface TorchFileOptions {
  readonly dtypeOf: (shape: readonly number[]) => FloatDtype;
  /** Stands before every name. */
  readonly prefix?: string;
  /** Puts the state dict into something else. */
  readonly wrap?: (stateDict: Uint8Array) => Uint8Array;
}

/**
 * Writes weights as `torch.save(state_dict)` does: a zip archive of one pickle and one entry a tensor, which
 * `torch.load(..., weights_only=True)` reads. The same weights give the same bytes.
 *
 * @throws {CheckpointError} where a value is too large for its type
 */
export async function writeTorchFile(
  file: string,
  weights: NamedArrays,
  { dtypeOf, prefix = "", wrap = (stateDict) => stateDict }: TorchFileOptions,
): Promise<void> {
  const entries = [...weights].map(([name, { shape, values }], i) => ({
    ...{ name, shape, values, key: String(i), dtype: dtypeOf(shape) },
  }));
  const tensors = entries.map(({ name, shape, key, dtype }) => {
    const storage = dtype === "F16" ? "HalfStorage" : "FloatStorage";
    return [`${prefix}${name}`, tensor(key, storage, shape)] as const;
  });
  const text = new TextEncoder();
  await writeDurable(file, async (handle) => {
    const zip = new ZipWriter(handle);
    await zip.add(`${FOLDER}/data.pkl`, pickled(wrap(orderedDict(tensors))));
    await zip.add(`${FOLDER}/byteorder`, text.encode("little"));
    for (const { name, values, key, dtype } of entries) {
      const stored = dtype === "F16" ? toFloat16(name, values) : values;
      await zip.add(`${FOLDER}/data/${key}`, new Uint8Array(stored.buffer, stored.byteOffset, stored.byteLength));
    }
    await zip.add(`${FOLDER}/version`, text.encode(FORMAT_VERSION));
    await zip.finish();
  });
}

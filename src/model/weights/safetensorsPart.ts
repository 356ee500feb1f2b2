import type { ByteSource } from "./byteSource.js";
import type { StoredTensors } from "./dtypes.js";
import { refuse } from "./refuse.js";
import { parseSafetensorsHeader } from "./safetensorsHeader.js";

/** The format allows 100 MB; the 600 tensors of ViT-L/14 take 80 kB. Bounds what a hostile header costs. */
const MAX_HEADER = 10_000_000;
/** The header's length comes first, 64 bits. */
const LENGTH_BYTES = 8;

/** Whether a file's first bytes may be a safetensors file's: a length, then JSON. */
export function looksLikeSafetensors(start: Uint8Array): boolean {
  const first = start[LENGTH_BYTES];
  return first !== undefined && "{ \n\r\t".includes(String.fromCharCode(first));
}

/**
 * Opens a safetensors file: reads and checks the header; each tensor's bytes are read when asked for.
 *
 * @param where the file, for messages
 * @throws {CheckpointError} when the file breaks a rule of the format
 */
export async function openSafetensors(
  where: string,
  source: ByteSource,
): Promise<{ tensors: StoredTensors; metadata: Readonly<Record<string, string>> }> {
  if (source.size < LENGTH_BYTES) refuse(where, `has ${source.size} bytes, too few for a safetensors file`);
  const prefix = await source.read(0, LENGTH_BYTES);
  const length = new DataView(prefix.buffer).getBigUint64(0, true);
  const dataStart = LENGTH_BYTES + Number(length);
  if (length > MAX_HEADER)
    refuse(where, `its safetensors header claims ${length} bytes; at most ${MAX_HEADER} are read`);
  if (dataStart > source.size) refuse(where, `its safetensors header claims ${length} bytes, past the file's end`);
  const header = await source.read(LENGTH_BYTES, Number(length));
  const { tensors, metadata } = parseSafetensorsHeader(where, header, source.size - dataStart);
  const stored = [...tensors].map(([name, { dtype, shape, begin, end }]) => {
    const read = () => source.read(dataStart + begin, end - begin);
    return [name, { dtype, shape, read }] as const;
  });
  return { tensors: new Map(stored), metadata };
}

import type { FileHandle } from "node:fs/promises";

/** Bytes of a tar's records: headers and contents fill whole ones. */
export const TAR_BLOCK = 512;
/** Bytes of a name that a header has room for. */
const NAME_BYTES = 100;

/** Writer of a tar in the ustar form, names above 100 bytes in pax records (POSIX.1-2001, "pax"). */
export interface TarWriter {
  /** Bytes written so far. */
  readonly bytes: number;
  add(name: string, contents: Uint8Array): Promise<void>;
  /** Writes the two empty records that end every tar. */
  end(): Promise<void>;
}

/** Writer of a tar into an open file, which stays the caller's. Equal contents give equal bytes: no times, no owners. */
export function createTarWriter(handle: FileHandle): TarWriter {
  let bytes = 0;
  const write = async (piece: Uint8Array) => {
    await handle.writeFile(piece);
    bytes += piece.length;
  };
  const member = async (name: string, contents: Uint8Array, kind: "0" | "x") => {
    await write(header(name, contents.length, kind));
    await write(contents);
    await write(Buffer.alloc((TAR_BLOCK - (contents.length % TAR_BLOCK)) % TAR_BLOCK));
  };
  return {
    get bytes() {
      return bytes;
    },
    add: async (name, contents) => {
      if (Buffer.byteLength(name) > NAME_BYTES) await member("pax", paxRecord("path", name), "x");
      await member(name, contents, "0");
    },
    end: async () => write(Buffer.alloc(2 * TAR_BLOCK)),
  };
}

function header(name: string, size: number, kind: "0" | "x"): Buffer {
  const block = Buffer.alloc(TAR_BLOCK);
  Buffer.from(name).copy(block, 0, 0, NAME_BYTES);
  block.write("0000644\0", 100);
  block.write("0000000\0", 108);
  block.write("0000000\0", 116);
  block.write(`${size.toString(8).padStart(11, "0")}\0`, 124);
  block.write("00000000000\0", 136);
  block.write("        ", 148); // the sum is formed with blanks in its place
  block.write(kind, 156);
  block.write("ustar\x0000", 257);
  const sum = block.reduce((all, byte) => all + byte, 0);
  block.write(`${sum.toString(8).padStart(6, "0")}\0 `, 148);
  return block;
}

/** `LENGTH key=value\n`, whose length counts its own digits. */
function paxRecord(key: string, value: string): Buffer {
  const rest = Buffer.byteLength(` ${key}=${value}\n`);
  let length = rest + String(rest).length;
  if (String(length).length > String(rest).length) length++;
  return Buffer.from(`${length} ${key}=${value}\n`);
}

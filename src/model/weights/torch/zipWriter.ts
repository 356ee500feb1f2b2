import type { FileHandle } from "node:fs/promises";
import { crc32 } from "../../../base/checksums.js";

/** PKWARE APPNOTE 4.3: signatures, and the bytes of each record before its name. */
const LOCAL = { signature: 0x04034b50, bytes: 30 };
const CENTRAL = { signature: 0x02014b50, bytes: 46 };
const END = { signature: 0x06054b50, bytes: 22 };
const VERSION = 20;
/** The first of January 1980, the earliest day that there is: the same weights give the same file. */
const DATE = 0x21;
/** PyTorch writes data at multiples of this, so that they can be mapped into memory. */
const ALIGNMENT = 64;
/** A field for padding, as PyTorch calls it: "FB". */
const PADDING_FIELD = 0x4246;
const PADDING_HEADER = 4;
/** Sizes and places have 32 bits, and Zip64 is not written. */
export const LARGEST_ZIP = 2 ** 32 - 1;

interface Entry {
  readonly name: Uint8Array;
  readonly size: number;
  readonly crc: number;
  readonly offset: number;
}

/** Writes a zip archive of stored entries into a file, one after the other; its data are aligned as PyTorch's are. */
export class ZipWriter {
  readonly #entries: Entry[] = [];
  #at = 0;

  constructor(private readonly handle: FileHandle) {}

  /** @throws {Error} `internal:` beyond 4 GB */
  async add(name: string, data: Uint8Array): Promise<void> {
    const bytes = new TextEncoder().encode(name);
    const entry: Entry = { name: bytes, size: data.length, crc: crc32(data), offset: this.#at };
    const unpadded = this.#at + LOCAL.bytes + bytes.length + PADDING_HEADER;
    const padding = (ALIGNMENT - (unpadded % ALIGNMENT)) % ALIGNMENT;
    const header = new Uint8Array(LOCAL.bytes + bytes.length + PADDING_HEADER + padding);
    const view = new DataView(header.buffer);
    view.setUint32(0, LOCAL.signature, true);
    view.setUint16(4, VERSION, true);
    writeFacts(view, 6, entry);
    view.setUint16(28, PADDING_HEADER + padding, true);
    header.set(bytes, LOCAL.bytes);
    view.setUint16(LOCAL.bytes + bytes.length, PADDING_FIELD, true);
    view.setUint16(LOCAL.bytes + bytes.length + 2, padding, true);
    this.#entries.push(entry);
    await this.#write(header);
    await this.#write(data);
  }

  /** Writes the directory; nothing may be added after that. */
  async finish(): Promise<void> {
    const start = this.#at;
    for (const entry of this.#entries) {
      const record = new Uint8Array(CENTRAL.bytes + entry.name.length);
      const view = new DataView(record.buffer);
      view.setUint32(0, CENTRAL.signature, true);
      view.setUint16(4, VERSION, true);
      view.setUint16(6, VERSION, true);
      writeFacts(view, 8, entry);
      view.setUint32(42, entry.offset, true);
      record.set(entry.name, CENTRAL.bytes);
      await this.#write(record);
    }
    const end = new DataView(new ArrayBuffer(END.bytes));
    end.setUint32(0, END.signature, true);
    end.setUint16(8, this.#entries.length, true);
    end.setUint16(10, this.#entries.length, true);
    end.setUint32(12, this.#at - start, true);
    end.setUint32(16, start, true);
    await this.#write(new Uint8Array(end.buffer));
  }

  async #write(bytes: Uint8Array): Promise<void> {
    this.#at += bytes.length;
    if (this.#at > LARGEST_ZIP) throw new Error("internal: zipWriter: an archive of more than 4 GB needs Zip64");
    await this.handle.writeFile(bytes); // on a handle, writeFile goes on where the last one ended
  }
}

/** Flags, method (stored), time, date, checksum, twice the size, and the name's length: the same in both records. */
function writeFacts(view: DataView, at: number, { name, size, crc }: Entry): void {
  view.setUint16(at + 6, DATE, true);
  view.setUint32(at + 8, crc, true);
  view.setUint32(at + 12, size, true);
  view.setUint32(at + 16, size, true);
  view.setUint16(at + 20, name.length, true);
}

import { crc32 } from "../../base/checksums.js";
import { plural } from "../../base/text.js";

/** Listener of damaged images that were read all the same, once for each reading. */
export type OnDamaged = (file: string, reason: string) => void;

/** Damaged images that are named; the others are counted. */
const NAMED = 5;

/** Log of damaged images that are read as PIL reads them: the first few by name, and at the end how many there were. */
export class DamageLog {
  readonly #files = new Set<string>();
  readonly #note: (line: string) => void;

  readonly #advice: string;

  /** @param advice  what to do about such files */
  constructor(note: (line: string) => void, advice = "data.onDamage: refuse stops at such files") {
    this.#note = note;
    this.#advice = advice;
  }

  readonly onDamaged: OnDamaged = (file, reason) => {
    if (this.#files.has(file)) return;
    this.#files.add(file);
    if (this.#files.size > NAMED) return;
    this.#note(`${file}: is damaged (${reason}), read as PIL reads it; ${this.#advice}`);
  };

  /** Notes how many there were, where not all of them were named. */
  close(): void {
    if (this.#files.size > NAMED)
      this.#note(`${plural(this.#files.size, "damaged image")} were read as PIL reads them`);
    this.#files.clear();
  }
}

const SIGNATURE_BYTES = 8;

/** True where every chunk up to the pixels has its checksum (PNG, section 5.3): PIL looks at these, and at no others. */
export function hasWholeChunks(bytes: Buffer): boolean {
  for (let at = SIGNATURE_BYTES; at + 12 <= bytes.length;) {
    const length = bytes.readUInt32BE(at);
    const end = at + 8 + length;
    if (bytes.toString("latin1", at + 4, at + 8) === "IDAT") return true;
    if (end + 4 > bytes.length || crc32(bytes.subarray(at + 4, end)) !== bytes.readUInt32BE(end)) return false;
    at = end + 4;
  }
  return false;
}

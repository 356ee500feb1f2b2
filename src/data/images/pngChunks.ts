import { crc32 } from "../../base/checksums.js";

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

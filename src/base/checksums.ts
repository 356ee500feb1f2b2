/** CRC-32 of zip (reflected polynomial 0xEDB88320), four bytes a step. */
export function crc32(bytes: Uint8Array): number {
  const [t0, t1, t2, t3] = (cachedTables ??= makeTables());
  const words = bytes.byteOffset % 4 === 0 ? bytes.length >>> 2 : 0;
  const view = words > 0 ? new Uint32Array(bytes.buffer, bytes.byteOffset, words) : new Uint32Array();
  let crc = ~0;
  for (let i = 0; i < words; i++) {
    crc ^= view[i] ?? 0;
    crc = (t3[crc & 255] ?? 0) ^ (t2[(crc >>> 8) & 255] ?? 0) ^ (t1[(crc >>> 16) & 255] ?? 0) ^ (t0[crc >>> 24] ?? 0);
  }
  for (let i = 4 * words; i < bytes.length; i++) crc = (t0[(crc ^ (bytes[i] ?? 0)) & 255] ?? 0) ^ (crc >>> 8);
  return ~crc >>> 0;
}

type Tables = readonly [Int32Array, Int32Array, Int32Array, Int32Array];
let cachedTables: Tables | undefined;

/** Four tables; the k-th holds the remainder of each byte followed by k zero bytes. */
function makeTables(): Tables {
  const first = byteTable(0xedb88320);
  const next = (table: Int32Array) => table.map((crc) => (first[crc & 255] ?? 0) ^ (crc >>> 8));
  const second = next(first);
  const third = next(second);
  return [first, second, third, next(third)];
}

/** Remainder of each byte by a polynomial whose bits are reversed. */
function byteTable(polynomial: number): Int32Array {
  return Int32Array.from({ length: 256 }, (_, byte) => {
    let crc = byte;
    for (let bit = 0; bit < 8; bit++) crc = crc & 1 ? polynomial ^ (crc >>> 1) : crc >>> 1;
    return crc;
  });
}

/** Table of the Castagnoli polynomial (RFC 3720, appendix B.4). */
const CASTAGNOLI = byteTable(0x82f63b78);

/** CRC-32C of the bytes, unsigned. */
export function crc32c(bytes: Uint8Array): number {
  let crc = 0xffffffff;
  for (const byte of bytes) crc = (CASTAGNOLI[(crc ^ byte) & 0xff] ?? 0) ^ (crc >>> 8);
  return ~crc >>> 0;
}

/** Memory for what is read, worked on and done with, over and over. */
export interface ReusedMemory {
  /** So many bytes, of unknown content, the receiver's until they are given back. */
  take(bytes: number): Uint8Array<ArrayBuffer>;
  /** Anything inside of what was taken gives all of it back; nobody may look at it any more. */
  giveBack(taken: Uint8Array<ArrayBuffer>): void;
}

/** A piece is used for less than it has room for, but not for less than this share of it. */
const LEAST_USE = 0.5;

/**
 * Keeps pieces that were given back for whoever needs about as much next. Fresh memory costs more than what is read into
 * it: each of its pages is first made and cleared, and all of it counts towards the next collection of garbage.
 *
 * @param most  pieces kept; of more, the one that was given back first goes
 */
export function createReusedMemory(most: number): ReusedMemory {
  const free: ArrayBuffer[] = [];
  return {
    take: (bytes) => {
      const fits = ({ byteLength }: ArrayBuffer) => byteLength >= bytes && bytes >= LEAST_USE * byteLength;
      const found = free.findIndex(fits);
      const [piece = new ArrayBuffer(bytes)] = found < 0 ? [] : free.splice(found, 1);
      return new Uint8Array(piece, 0, bytes);
    },
    giveBack: ({ buffer }) => {
      free.push(buffer);
      if (free.length > most) free.shift();
    },
  };
}

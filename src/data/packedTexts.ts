/** Texts one after the other in UTF-8: a string of its own takes several times the bytes of a short text. */
export class PackedTexts {
  readonly bytes: Buffer;
  /** Place behind each text. */
  readonly ends: Uint32Array;

  constructor(texts: readonly string[]) {
    this.ends = new Uint32Array(texts.length);
    let size = 0;
    texts.forEach((text, i) => (this.ends[i] = size += Buffer.byteLength(text)));
    this.bytes = Buffer.allocUnsafe(size);
    let start = 0;
    for (const text of texts) start += this.bytes.write(text, start);
  }

  get length(): number {
    return this.ends.length;
  }

  *[Symbol.iterator](): Generator<string> {
    for (let place = 0; place < this.length; place++) yield this.at(place);
  }

  at(place: number): string {
    const start = place === 0 ? 0 : (this.ends[place - 1] ?? 0);
    return this.bytes.toString("utf8", start, this.ends[place]);
  }
}

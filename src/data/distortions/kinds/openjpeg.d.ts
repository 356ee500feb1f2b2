/** Types of OpenJPEG's WebAssembly build, as far as it is used; the package carries none. */
declare module "@cornerstonejs/codec-openjpeg/wasmjs" {
  type Frame = Readonly<Record<"width" | "height" | "bitsPerSample" | "componentCount", number>> &
    Readonly<Record<"isSigned" | "isUsingColorTransform", boolean>>;
  interface Encoder {
    /** View of the codec's memory for the pixels, [rows, cols, components]. */
    getDecodedBuffer(frame: Frame): Uint8Array;
    setQuality(lossless: boolean, quality: number): void;
    setCompressionRatio(layer: number, ratio: number): void;
    encode(): void;
    getEncodedBuffer(): Uint8Array;
    delete(): void;
  }
  interface Decoder {
    getEncodedBuffer(bytes: number): Uint8Array;
    decode(): void;
    getDecodedBuffer(): Uint8Array;
    delete(): void;
  }
  type Codec = { readonly J2KEncoder: new () => Encoder; readonly J2KDecoder: new () => Decoder };
  const load: (options: { print: (line: string) => void; printErr: (line: string) => void }) => Promise<Codec>;
  export default load;
}

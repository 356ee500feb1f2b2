import openjpeg from "@cornerstonejs/codec-openjpeg/wasmjs";
import sharp from "sharp";
import type { Image } from "../../../model/preprocess/image.js";
import type { RecipeTable } from "../types.js";

export const COMPRESSIONS = {
  "jpeg2000 compression": { apply: jpeg2000, strength: [16, 32, 45, 120, 400], mos: [4.55, 4.2, 3.85, 2.4, 1.4] },
  "jpeg compression": { apply: jpeg, strength: [43, 36, 24, 7, 4], mos: [4.35, 4.25, 3.85, 1.95, 1.35] },
} satisfies RecipeTable;

/** Baseline JPEG with 4:2:0 chroma, coded and decoded again. @param quality IJG's, 1 to 100 */
async function jpeg({ rows, cols, pixels }: Image, quality: number): Promise<Image> {
  const raw = { width: cols, height: rows, channels: 3 } as const;
  const coded = await sharp(pixels, { raw })
    .jpeg({ quality: Math.round(quality), chromaSubsampling: "4:2:0" })
    .toBuffer();
  const decoded = await sharp(coded).raw().toBuffer();
  return { rows, cols, pixels: new Uint8Array(decoded) };
}

/** JPEG 2000 (irreversible wavelet) by OpenJPEG. @param ratio the picture's size at 24 bits a pixel over the file's */
async function jpeg2000({ rows, cols, pixels }: Image, ratio: number): Promise<Image> {
  const codec = await loadOpenJpeg();
  const encoder = new codec.J2KEncoder();
  const decoder = new codec.J2KDecoder();
  try {
    const frame = { width: cols, height: rows, bitsPerSample: 8, componentCount: 3, isSigned: false } as const;
    encoder.getDecodedBuffer({ ...frame, isUsingColorTransform: true }).set(pixels);
    encoder.setQuality(false, 1);
    encoder.setCompressionRatio(0, Math.round(ratio));
    encoder.encode();
    const coded = Uint8Array.from(encoder.getEncodedBuffer()); // its memory moves when the decoder's grows
    decoder.getEncodedBuffer(coded.length).set(coded);
    decoder.decode();
    return { rows, cols, pixels: Uint8Array.from(decoder.getDecodedBuffer()) };
  } finally {
    encoder.delete();
    decoder.delete();
  }
}

let loading: ReturnType<typeof openjpeg> | undefined;

/** Loads the codec once for each thread, silenced. */
function loadOpenJpeg(): ReturnType<typeof openjpeg> {
  const silent = () => undefined;
  return (loading ??= openjpeg({ print: silent, printErr: silent }));
}

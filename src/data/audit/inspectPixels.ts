import { FILES_AT_ONCE, mapParallel, withWatchdog } from "../../base/concurrency.js";
import { DataError } from "../../base/errors.js";
import type { ReportProgress } from "../../base/types.js";
import { decodeImage } from "../images/decode.js";
import type { ImageOptions } from "../images/loadImage.js";
import type { Sample } from "../sample.js";
import { type Signature, signatureOf } from "./perceptualHash.js";

export type InspectedImage =
  | { readonly ok: true; readonly sample: Sample; readonly signature: Signature }
  | { readonly ok: false; readonly sample: Sample; readonly message: string };

/**
 * Decodes every image whole, a few at a time: what is truncated or broken inside shows only so. Of the pictures only
 * their signatures are kept.
 *
 * @param samples  of different files, with headers that can be read
 */
export async function inspectPixels(
  samples: readonly Sample[],
  options: ImageOptions,
  report?: ReportProgress,
): Promise<InspectedImage[]> {
  let done = 0;
  return mapParallel(samples, FILES_AT_ONCE, async (sample): Promise<InspectedImage> => {
    try {
      const decoded = await withWatchdog(decodeImage(sample.file, options), options.stallSeconds, () => [sample.file]);
      return { ok: true, sample, signature: signatureOf(decoded) };
    } catch (error) {
      if (!(error instanceof DataError)) throw error;
      return { ok: false, sample, message: `${sample.list}:${sample.line}: ${error.message}` };
    } finally {
      report?.({ label: "decoding images", done: ++done, total: samples.length, unit: "images" });
    }
  });
}

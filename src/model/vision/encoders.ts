/** The image encoders by their kind: what else knows of both are shapes, sizes and exports. */
import type * as tf from "../../engine/tf.js";
import type { VisionArchitecture } from "../architecture/architecture.js";
import type { Checkpointing } from "../layers.js";
import type { EncoderWeights } from "../parameters/parameters.js";
import { type FoldedVit, foldVit, isFoldedOfVit } from "./foldedVit.js";
import type { PatchBatch } from "./patches.js";
import { encodeFoldedSiglip, encodeSiglip } from "./siglip.js";
import { encodeFoldedResNet, encodeResNet, type FoldedResNet, foldResNet, isFoldedOfResNet } from "./resnet.js";
import { encodeFoldedVit, encodeVit } from "./vit.js";

/** Image encoder with the elementwise steps between its products folded into them, for scoring. */
export type FoldedEncoder =
  ({ readonly kind: "vit" | "siglip" } & FoldedVit) | ({ readonly kind: "resnet" } & FoldedResNet);

/**
 * Features of crops.
 * @param keep  state for the backward pass; see `transformer`
 * @returns     [crops, embedding], given: rows of unit length
 * @throws {ShapeError} where the patches are not those of the batch's crops
 */
export function encodeImages(
  { read, adapters, architecture: { vision, embedding } }: EncoderWeights,
  batch: PatchBatch,
  keep?: Checkpointing,
): tf.Tensor2D {
  if (vision.kind === "resnet") return encodeResNet({ read, vision, embedding }, batch, keep); // which has no adapters
  if (vision.kind === "siglip") return encodeSiglip({ read, adapters, vision, embedding }, batch, keep);
  return encodeVit({ read, adapters, vision, embedding }, batch, keep);
}

/** Folded matrices. @returns  given; runs in the caller's tidy */
export function foldEncoder({ read, architecture: { vision, embedding } }: EncoderWeights): FoldedEncoder {
  if (vision.kind === "resnet") return { kind: "resnet", ...foldResNet({ read, vision, embedding }) };
  return { kind: vision.kind ?? "vit", ...foldVit({ read, vision, embedding }) };
}

/** True where `encodeFolded` no longer reads a weight of the image encoder, since it was folded. */
export function isFolded({ kind }: Pick<VisionArchitecture, "kind">, name: string): boolean {
  return kind === "resnet" ? isFoldedOfResNet(name) : isFoldedOfVit(name);
}

/**
 * `encodeImages` with folded weights: equal to it up to rounding, and without a gradient. `weights` has those that are
 * not folded. @returns  [crops, embedding], given
 */
export function encodeFolded(
  { read, architecture: { vision, embedding } }: EncoderWeights,
  folded: FoldedEncoder,
  batch: PatchBatch,
): tf.Tensor2D {
  if (vision.kind === "resnet") {
    if (folded.kind !== "resnet") throw new Error("internal: encodeFolded: folded weights of another encoder");
    return encodeFoldedResNet({ read, vision, embedding }, folded, batch);
  }
  if (folded.kind === "resnet") throw new Error("internal: encodeFolded: folded weights of another encoder");
  if (vision.kind === "siglip") return encodeFoldedSiglip({ read, vision, embedding }, folded, batch);
  return encodeFoldedVit({ read, vision, embedding }, folded, batch);
}

import type { FloatDtype } from "../model/weights/dtypes.js";
import type { ExportDtype } from "./exportManifest.js";

/** With f16, matrices and embeddings: biases, norms and the logit scale take no room and stay as exact as they are. */
export function storedAs(dtype: ExportDtype, shape: readonly number[]): FloatDtype {
  return dtype === "f16" && shape.length >= 2 ? "F16" : "F32";
}

import type { Prediction } from "../predict.js";

/**
 * Prediction as `liqe predict --json` and `liqe serve` write it: an object of plain values.
 * @param orientation  `apply` is said in the object, since scores differ by it
 */
export function predictionJson(prediction: Prediction, orientation: "ignore" | "apply"): object {
  if ("error" in prediction) return prediction;
  const { image, quality, scene, distortion, probabilities, uncertainty, isEnlarged, heatmap, windows, assumed } =
    prediction;
  return {
    ...{ image, quality, scene, distortion, probabilities, uncertainty },
    ...(isEnlarged ? { enlarged: true } : {}),
    ...(assumed.length > 0 ? { assumed } : {}),
    ...(heatmap === null ? {} : { heatmap, crops: windows }),
    ...(orientation === "apply" ? { orientation } : {}),
  };
}

/** What must hold of predictions and MOS before any measure of their agreement means something. */

/** Why a measure has no value. */
export type NoResult =
  "too few images" | "constant predictions" | "constant MOS" | "non-finite predictions" | "non-finite MOS";

/**
 * @returns the reason why no correlation can be had, or undefined where one can
 * @throws {RangeError} where the two are not of one length
 */
export function whyNoCorrelation(
  where: string,
  predicted: ArrayLike<number>,
  mos: ArrayLike<number>,
): NoResult | undefined {
  const reason = whyNoDeviation(where, predicted, mos);
  if (reason !== undefined) return reason;
  if (mos.length < 2) return "too few images";
  if (isConstant(predicted)) return "constant predictions";
  return isConstant(mos) ? "constant MOS" : undefined;
}

/**
 * @returns the reason why no error measure can be had, or undefined where one can
 * @throws {RangeError} where the two are not of one length
 */
export function whyNoDeviation(
  where: string,
  predicted: ArrayLike<number>,
  mos: ArrayLike<number>,
): NoResult | undefined {
  if (predicted.length !== mos.length) {
    throw new RangeError(`${where}: ${predicted.length} predictions for ${mos.length} MOS values; pair them by image`);
  }
  if (mos.length === 0) return "too few images";
  if (!isFinite(predicted)) return "non-finite predictions";
  return isFinite(mos) ? undefined : "non-finite MOS";
}

function isFinite(scores: ArrayLike<number>): boolean {
  for (let i = 0; i < scores.length; i++) if (!Number.isFinite(scores[i])) return false;
  return true;
}

function isConstant(scores: ArrayLike<number>): boolean {
  for (let i = 1; i < scores.length; i++) if (scores[i] !== scores[0]) return false;
  return true;
}

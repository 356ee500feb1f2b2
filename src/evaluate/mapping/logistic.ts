/** Plain form of every family here: offset + height·sigmoid((x − center) / width) + slope·x, of either sign. */
export interface Sigmoid {
  readonly offset: number;
  readonly height: number;
  readonly center: number;
  readonly width: number;
  readonly slope: number;
}

/** Family of curves from predictions to MOS; parameters in the published order, from beta 1. */
export interface CurveFamily {
  readonly parameters: number;
  readonly formula: string;
  /** The curve's value at x; parameters by index, as taking them apart costs more than the exponential. */
  readonly curve: (parameters: Float64Array, x: number) => number;
  /** True where the family has the linear term. */
  readonly hasSlope: boolean;
  readonly toSigmoid: (parameters: Float64Array) => Sigmoid;
  readonly fromSigmoid: (sigmoid: Sigmoid) => number[];
}

export const CURVES: Readonly<Record<"logistic4" | "logistic5", CurveFamily>> = {
  /** 4-parameter logistic of VQEG (FR-TV phase I, 2000), which the LIQE release uses too. */
  logistic4: {
    parameters: 4,
    formula: "(b1 - b2) / (1 + exp(-(x - b3) / |b4|)) + b2",
    curve: (b, x) =>
      (b[1] ?? NaN) + ((b[0] ?? NaN) - (b[1] ?? NaN)) * sigmoid((x - (b[2] ?? NaN)) / Math.abs(b[3] ?? NaN)),
    hasSlope: false,
    toSigmoid: ([b1 = NaN, b2 = NaN, b3 = NaN, b4 = NaN]) => ({
      offset: b2,
      height: b1 - b2,
      center: b3,
      width: Math.abs(b4),
      slope: 0,
    }),
    fromSigmoid: ({ offset, height, center, width }) =>
      width < 0 ? [offset, offset + height, center, -width] : [offset + height, offset, center, width],
  },

  /** 5-parameter logistic with a linear term of H. R. Sheikh et al., IEEE Trans. Image Processing 15 (2006). */
  logistic5: {
    parameters: 5,
    formula: "b1 (1/2 - 1 / (1 + exp(b2 (x - b3)))) + b4 x + b5",
    curve: (b, x) =>
      (b[0] ?? NaN) * (sigmoid((b[1] ?? NaN) * (x - (b[2] ?? NaN))) - 0.5) + (b[3] ?? NaN) * x + (b[4] ?? NaN),
    hasSlope: true,
    toSigmoid: ([b1 = NaN, b2 = NaN, b3 = NaN, b4 = NaN, b5 = NaN]) => ({
      offset: b5 - b1 / 2,
      height: b1,
      center: b3,
      width: 1 / b2,
      slope: b4,
    }),
    fromSigmoid: ({ offset, height, center, width, slope }) => [height, 1 / width, center, slope, offset + height / 2],
  },
};

/** 1 / (1 + exp(-z)); never NaN for finite z. */
export function sigmoid(z: number): number {
  return 1 / (1 + Math.exp(-z));
}

import { type CurveFamily, CURVES } from "./mapping/logistic.js";

/** Way in which predictions are put on the scale of MOS before PLCC, RMSE and MAE; SRCC and KRCC need no mapping. */
export interface Protocol {
  /** Raised whenever the same predictions would give other numbers. */
  readonly version: number;
  readonly description: string;
  /** Absent where predictions are compared as they are. */
  readonly mapping?: {
    readonly family: CurveFamily;
    /**
     * Starts of the search. `released`: the LIQE release's values alone (its compute_metrics: largest and smallest MOS,
     * mean and population deviation of the predictions), and those of `several` where that way ends on a curve's flat;
     * version 1 found no curve for some lists whose best one is an exponential, version 2 stayed on the flat. `several`: places of a grid of centers and
     * widths, the best end of which counts; version 1 began at 15 fixed places, and missed the best curve of some lists.
     */
    readonly starts: "released" | "several";
  };
}

export const PROTOCOLS: Readonly<Record<ProtocolName, Protocol>> = {
  liqe: {
    version: 3,
    description:
      "4-parameter logistic from the LIQE release's start values, and from others where that fit ends on a flat part of the curve",
    mapping: { family: CURVES.logistic4, starts: "released" },
  },
  vqeg4: {
    version: 2,
    description: "4-parameter logistic, the best of several starts",
    mapping: { family: CURVES.logistic4, starts: "several" },
  },
  logistic5: {
    version: 2,
    description: "5-parameter logistic with a linear term, the best of several starts",
    mapping: { family: CURVES.logistic5, starts: "several" },
  },
  raw: { version: 1, description: "predictions as they are, on the scale of the prompts' levels (1 to 5)" },
};

/** Values of `--protocol` and of the config's `evaluate.protocol`. */
export const PROTOCOL_NAMES = ["liqe", "vqeg4", "logistic5", "raw"] as const;
export type ProtocolName = (typeof PROTOCOL_NAMES)[number];

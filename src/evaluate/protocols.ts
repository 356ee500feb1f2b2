import type { CurveFamily } from "./mapping/logistic.js";
import { LOGISTIC4, LOGISTIC5 } from "./mapping/logistic.js";

/** How predictions are put on the scale of MOS before PLCC, RMSE and MAE; SRCC and KRCC need no mapping. */
export interface Protocol {
  /** Raised whenever the same predictions would give other numbers. */
  readonly version: number;
  readonly description: string;
  /** Absent: predictions are compared as they are. */
  readonly mapping?: {
    readonly family: CurveFamily;
    /**
     * Where the search begins: at the LIQE release's values alone (its compute_metrics: largest and smallest MOS, mean
     * and population deviation of the predictions), or wherever a grid of centres and widths has a least squared error
     * (`initialGuesses`), of which the best end counts. Version 2 of those: version 1 began at 15 fixed places, and missed the
     * best curve of some lists.
     */
    readonly starts: "released" | "several";
  };
}

export const PROTOCOLS: Readonly<Record<ProtocolName, Protocol>> = {
  liqe: {
    version: 1,
    description: "4-parameter logistic from the LIQE release's start values alone",
    mapping: { family: LOGISTIC4, starts: "released" },
  },
  vqeg4: {
    version: 2,
    description: "4-parameter logistic, the best of several starts",
    mapping: { family: LOGISTIC4, starts: "several" },
  },
  logistic5: {
    version: 2,
    description: "5-parameter logistic with a linear term, the best of several starts",
    mapping: { family: LOGISTIC5, starts: "several" },
  },
  raw: { version: 1, description: "predictions as they are, on the scale of the prompts' levels (1 to 5)" },
};

/** The names that `--protocol` and `evaluate.protocol` take; see `protocols.ts`. */
export const PROTOCOL_NAMES = ["liqe", "vqeg4", "logistic5", "raw"] as const;
export type ProtocolName = (typeof PROTOCOL_NAMES)[number];

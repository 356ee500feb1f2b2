/** Measures by which a run's validations are compared, with their names. */
export const CHOOSING_MEASURES = { srcc: "SRCC", pairs: "accuracy on pairs" } as const;

/** Means of a validation, as metrics.jsonl has them. */
interface ValidationMeans {
  readonly srcc: number | null;
  /** Absent unless all databases are validated on pairs. */
  readonly pairs?: number | null | undefined;
}

/** Measure by which a checkpoint is the best, and its value. */
interface ChoosingValue {
  readonly measure: keyof typeof CHOOSING_MEASURES;
  readonly value: number | null;
}

/** Highest validation of a run. */
export interface BestValidation {
  /** `srcc`: mean over the databases; `pairs`: mean share of people who make its choice, of a run on pairs alone. */
  readonly measure: "srcc" | "pairs";
  readonly value: number;
  /** From 1. */
  readonly epoch: number;
}

/** Measure that chooses a run's best checkpoint: SRCC, or accuracy where every database is validated on pairs. */
export function chosenBy({ srcc, pairs }: ValidationMeans): ChoosingValue {
  return pairs === undefined ? { measure: "srcc", value: srcc } : { measure: "pairs", value: pairs };
}

/** The names that `--protocol` and `evaluate.protocol` take; see `protocols.ts`. */
export const PROTOCOL_NAMES = ["liqe", "vqeg4", "logistic5", "raw"] as const;
export type ProtocolName = (typeof PROTOCOL_NAMES)[number];

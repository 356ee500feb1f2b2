/** Figures of src/; see house.mjs. */
export type Figures = Record<
  | "files"
  | "lines"
  | "smallShare"
  | "largestFolder"
  | "walkFiles"
  | "walkReturns"
  | "callsToStep"
  | "manyParameters"
  | "exportsUsedOnce"
  | "relativeClauses"
  | "medianFunction"
  | "functionOf90"
  | "longestFunction",
  number
>;
export const BARS: Figures;
export const AT_CLOSE: readonly string[];
export function measureHouse(root: string): {
  readonly figures: Figures;
  readonly lists: Readonly<Record<string, readonly string[]>>;
  readonly walkProblems: readonly string[];
};

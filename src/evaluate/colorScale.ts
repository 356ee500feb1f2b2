export type Rgb = readonly [number, number, number];

/**
 * Dark to light through equally distant hues, told apart by the colour-blind and in grey print too: nine points of
 * matplotlib's viridis (S. van der Walt and N. Smith, 2015, CC0).
 */
const VIRIDIS: readonly Rgb[] = [
  [68, 1, 84],
  [71, 45, 123],
  [59, 82, 139],
  [44, 114, 142],
  [33, 145, 140],
  [40, 174, 128],
  [94, 201, 98],
  [173, 220, 48],
  [253, 231, 37],
];

/** The colour of a share from 0 (dark) to 1 (light); what lies beyond counts as the end. */
export function colorAt(share: number): Rgb {
  const position = Math.min(Math.max(share, 0), 1) * (VIRIDIS.length - 1);
  const index = Math.min(Math.floor(position), VIRIDIS.length - 2);
  const [from, to] = [VIRIDIS[index], VIRIDIS[index + 1]];
  if (from === undefined || to === undefined) throw new RangeError(`colorAt: needs a number, got ${share}`);
  const between = (a: number, b: number) => Math.round(a + (b - a) * (position - index));
  return [between(from[0], to[0]), between(from[1], to[1]), between(from[2], to[2])];
}

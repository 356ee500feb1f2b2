/** How strong a distortion is: 1 hardly visible to 5 severe, as in KADID-10k. */
export const LEVELS = [1, 2, 3, 4, 5] as const;
export type Level = (typeof LEVELS)[number];

/** One number for each level: a distortion's parameter, or what viewers thought of it. */
export type ByLevel = Readonly<Record<Level, number>>;

/** The five numbers, weakest level first. */
export function byLevel(...[one, two, three, four, five]: [number, number, number, number, number]): ByLevel {
  return { 1: one, 2: two, 3: three, 4: four, 5: five };
}

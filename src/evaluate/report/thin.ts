/** Fewer points than there are, where all of them would make the page slow and show no more. */

/** At most `most` of the items, spread evenly over their order, the first and the last among them. */
export function thinned<T>(items: readonly T[], most: number): readonly T[] {
  if (items.length <= most) return items;
  const step = (items.length - 1) / (most - 1);
  return Array.from({ length: most }, (_, i) => items[Math.round(i * step)] as T); // inside the array
}

/** Runs of equal length, at most `most` of them (the last may be shorter): the curve's points are their means. */
export function grouped<T>(items: readonly T[], most: number): { readonly size: number; readonly groups: T[][] } {
  const size = Math.max(1, Math.ceil(items.length / most));
  const count = Math.ceil(items.length / size);
  return { size, groups: Array.from({ length: count }, (_, i) => items.slice(i * size, (i + 1) * size)) };
}

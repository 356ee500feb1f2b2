/** Items by key, in the order in which the keys come; the items of a key keep theirs. */
export function groupBy<K, T>(items: Iterable<T>, keyOf: (item: T) => K): Map<K, T[]> {
  const groups = new Map<K, T[]>();
  for (const item of items) {
    const key = keyOf(item);
    const group = groups.get(key);
    if (group === undefined) groups.set(key, [item]);
    else group.push(item);
  }
  return groups;
}

interface NumberArray extends ArrayLike<number> {
  set(numbers: ArrayLike<number>, at: number): void;
}

/** Typed arrays one after the other, in a new array of the same type. */
export function concatenated<T extends NumberArray>(make: new (length: number) => T, parts: readonly T[]): T {
  const whole = new make(parts.reduce((sum, { length }) => sum + length, 0));
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.length;
  }
  return whole;
}

/** Value of a key that the map must have. @throws an internal error that names `where` and the key */
export function getOrThrow<K, V>(map: ReadonlyMap<K, V>, key: K, where: string): V {
  const value = map.get(key);
  if (value === undefined) throw new Error(`internal: ${where}: no entry "${String(key)}"`);
  return value;
}

/** Adds items to the end of a list. `push(...items)` overflows the stack from 110,000 items on. */
export function pushAll<T>(list: T[], items: Iterable<T>): void {
  for (const item of items) list.push(item);
}

/** Least and largest number; NaN where one of them is, infinities where there is none. `Math.max(...all)` overflows. */
export function extentOf(numbers: Iterable<number>): { readonly least: number; readonly most: number } {
  let [least, most] = [Infinity, -Infinity];
  for (const number of numbers) [least, most] = [Math.min(least, number), Math.max(most, number)];
  return { least, most };
}

/** Sum of numbers, 0 of none. */
export function sum(numbers: Iterable<number>): number {
  let total = 0;
  for (const number of numbers) total += number;
  return total;
}

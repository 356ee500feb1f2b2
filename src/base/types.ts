/** A measure, or why there is none. Never NaN: NaN compares false, and "best so far" would skip it unseen. */
export type Result = { readonly ok: true; readonly value: number } | { readonly ok: false; readonly reason: string };

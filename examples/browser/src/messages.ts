import type { LiqeScore } from "liqe-train/inference";

/** What the page asks of its worker. */
export type Request =
  | { readonly kind: "load"; readonly model: string; readonly backend: string | null }
  | { readonly kind: "score"; readonly id: number; readonly image: ImageBitmap };

/** What the worker says. */
export type Reply =
  | { readonly kind: "progress"; readonly done: number; readonly total: number }
  | { readonly kind: "ready"; readonly backend: string; readonly dtype: string; readonly levels: number }
  | { readonly kind: "scored"; readonly id: number; readonly score: LiqeScore; readonly seconds: number }
  | { readonly kind: "failed"; readonly id: number | null; readonly error: string };

import type { LiqeScore } from "liqe-train/inference";
import type { Backend } from "./backendNames";

/** What the page asks of its worker. */
export type Request =
  | { readonly kind: "load"; readonly model: string; readonly backend: string | null }
  | { readonly kind: "score"; readonly id: number; readonly image: ImageBitmap };

/** A picture's, in pixels. */
interface Size {
  readonly width: number;
  readonly height: number;
}

/** What the worker says. */
export type Reply =
  | { readonly kind: "progress"; readonly done: number; readonly total: number }
  | { readonly kind: "ready"; readonly backend: Backend; readonly dtype: string; readonly levels: number }
  | { readonly kind: "scored"; readonly id: number; readonly score: LiqeScore; readonly size: Size }
  | { readonly kind: "failed"; readonly id: number | null; readonly error: string };

import { z } from "zod";

/** What `metrics.jsonl` writes in place of a number that is not finite. */
const figure = z.union([z.number(), z.enum(["NaN", "Infinity", "-Infinity"]).transform(Number)]);
const perTask = z.record(z.string(), figure);
const common = { step: z.int(), loss: figure, losses: perTask, weights: perTask, learningRate: figure };
const Step = z.object({ kind: z.literal("step"), ...common });
const Epoch = z.object({
  kind: z.literal("epoch"),
  ...common,
  epoch: z.int(),
  validation: z.object({ srcc: z.number().nullable() }).nullable(),
});

export type StepLine = z.output<typeof Step>;
export type EpochLine = z.output<typeof Epoch>;

/** How a run was trained, or why that is not known. */
export type TrainingHistory =
  | {
      readonly ok: true;
      readonly steps: readonly StepLine[];
      readonly epochs: readonly EpochLine[];
      readonly unread: number;
    }
  | { readonly ok: false; readonly reason: string };

/** The lines of a run's `metrics.jsonl`; those of other kinds are passed over, and unreadable ones counted. */
export function trainingHistory(metrics: string): TrainingHistory {
  const steps: StepLine[] = [];
  const epochs: EpochLine[] = [];
  let unread = 0;
  for (const line of metrics.split("\n")) {
    if (line === "") continue;
    const parsed = z
      .discriminatedUnion("kind", [Step, Epoch, z.object({ kind: z.literal("skipped") })])
      .safeParse(jsonOf(line));
    if (!parsed.success) unread++;
    else if (parsed.data.kind === "step") steps.push(parsed.data);
    else if (parsed.data.kind === "epoch") epochs.push(parsed.data);
  }
  if (steps.length === 0) return { ok: false, reason: "metrics.jsonl holds no step that can be read" };
  return { ok: true, steps, epochs, unread };
}

function jsonOf(line: string): unknown {
  try {
    return JSON.parse(line);
  } catch {
    return null; // a line cut off by a crash: counted like any other that is none of ours
  }
}

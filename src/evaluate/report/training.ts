import { z } from "zod";
import { jsonOf, plural } from "../../base/text.js";
import { CHOOSING_MEASURES, chosenBy } from "../chosenBy.js";
import { mean } from "../metrics/vectors.js";
import { axis, CHART_WIDTH, chartSvg, INK } from "./chart.js";
import { html, type Html } from "./html.js";

/** Largest number of a curve's points: more than its pixels can show only make the page large. */
const MOST_POINTS = 300;
const DASHES = ["solid", "dashed", "dotted", [8, 3, 2, 3]] as const;

type Curve = { readonly name: string; readonly points: readonly (readonly [number, number])[] };

/** Losses, their weights, validation and learning rate over a run's steps. */
export function trainingSection(training: TrainingHistory): Html {
  if (!training.ok) return html`<p>No training curves: ${training.reason}.</p>`;
  const { steps, epochs, unread } = training;
  const { size, groups } = grouped(steps, MOST_POINTS);
  const tasks = Object.keys(steps[0]?.losses ?? {});
  const over = (read: (line: StepLine) => number) =>
    groups.map((group) => [mean(group.map(({ step }) => step)), mean(group.map(read))] as const);
  const losses = tasks.map((task) => ({ name: task, points: over(({ losses }) => losses[task] ?? NaN) }));
  const weights = tasks.map((task) => ({ name: task, points: over(({ weights }) => weights[task] ?? NaN) }));
  const rate = [{ name: "learning rate", points: over(({ learningRate }) => learningRate) }];
  const note = size === 1 ? "" : ` A point is the mean of ${size} steps.`;
  return html`<div class="charts">
      ${lineChart("loss of each task, without its weight", losses, { id: "train-loss", note })}
      ${lineChart("weight of each task's loss", weights, { id: "train-weights", note })} ${validationChart(epochs)}
      ${lineChart("learning rate", rate, { id: "train-rate", note })}
    </div>
    <p>
      ${plural(steps.length, "step")},
      ${plural(epochs.length, "epoch")}.${unread === 0 ? "" : ` ${plural(unread, "line")} of metrics.jsonl could not be read and ${unread === 1 ? "is" : "are"} left out.`}
    </p>`;
}

function validationChart(epochs: readonly EpochLine[]): Html {
  const chosen = epochs.map(({ step, validation }) => ({ step, ...chosenBy(validation ?? { srcc: null }) }));
  const measure = CHOOSING_MEASURES[chosen.some((one) => one.measure === "pairs") ? "pairs" : "srcc"];
  const points = chosen.flatMap(({ step, value }) => (value === null ? [] : [[step, value] as const]));
  if (points.length === 0) return html`<p>No validation curve: no epoch has a validation ${measure}.</p>`;
  return lineChart(`mean validation ${measure}`, [{ name: measure, points }], {
    id: "train-validation",
    ordinate: { scale: true },
  });
}

interface LineChart {
  readonly id: string;
  /** Sentence below the title. */
  readonly note?: string;
  /** ECharts' options of the ordinate, which begins at 0 otherwise. */
  readonly ordinate?: Readonly<Record<string, unknown>>;
}

/** Chart of curves over the steps of training; their lines differ in color or dashes, up to 16 of them. */
export function lineChart(title: string, curves: readonly Curve[], { id, note = "", ordinate = {} }: LineChart): Html {
  const several = curves.length > 1;
  const svg = chartSvg(
    { id, label: `${title} over the steps of training`, height: 240 },
    {
      grid: { left: 52, right: 14, top: several ? 14 + 20 * legendRows(curves) : 12, bottom: 44 },
      ...(several
        ? { legend: { top: 0, textStyle: { color: INK.text, fontSize: 12 }, itemWidth: 28, itemStyle: { opacity: 0 } } }
        : {}),
      xAxis: axis("step", { scale: true }),
      yAxis: axis("", ordinate),
      series: curves.map(({ name, points }, i) => ({
        ...{ type: "line", name, silent: true, data: points, itemStyle: { color: INK.series[i % INK.series.length] } },
        ...{ showSymbol: points.length < 30, symbolSize: 6 },
        lineStyle: { width: 2, color: INK.series[i % INK.series.length], type: dashOf(i) },
      })),
    },
  );
  return html`<figure>
    ${svg}
    <figcaption>${title.slice(0, 1).toUpperCase() + title.slice(1)}.${note}</figcaption>
  </figure>`;
}

/** Rows that a legend of curves takes, about: names of 12 pixels, each with a line before it. */
function legendRows(curves: readonly Curve[]): number {
  const width = curves.reduce((sum, { name }) => sum + 45 + 6.5 * name.length, 0);
  return Math.ceil(width / CHART_WIDTH);
}

/** Dashes of a curve: another combination with its color for each of the first 16. */
function dashOf(curve: number) {
  return DASHES[(curve + Math.floor(curve / INK.series.length)) % DASHES.length];
}

/** At most `most` runs of equal length, of which the last may be shorter: the curve's points are their means. */
export function grouped<T>(items: readonly T[], most: number): { readonly size: number; readonly groups: T[][] } {
  const size = Math.max(1, Math.ceil(items.length / most));
  const count = Math.ceil(items.length / size);
  return { size, groups: Array.from({ length: count }, (_, i) => items.slice(i * size, (i + 1) * size)) };
}

/** A number as `metrics.jsonl` writes it: a word where it is not finite, which curves leave out as NaN. */
const figure = z.union([z.number(), z.enum(["NaN", "Infinity", "-Infinity"]).transform(Number)]);
const perTask = z.record(z.string(), figure);
const common = { step: z.int(), loss: figure, losses: perTask, weights: perTask, learningRate: figure };
const Step = z.object({ kind: z.literal("step"), ...common });
const Epoch = z.object({
  kind: z.literal("epoch"),
  ...common,
  epoch: z.int(),
  validation: z.object({ srcc: z.number().nullable(), pairs: z.number().nullable().optional() }).nullable(),
});

type StepLine = z.output<typeof Step>;
type EpochLine = z.output<typeof Epoch>;

/** History of a run's training, or why it is not known. */
export type TrainingHistory =
  | {
      readonly ok: true;
      readonly steps: readonly StepLine[];
      readonly epochs: readonly EpochLine[];
      readonly unread: number;
    }
  | { readonly ok: false; readonly reason: string };

/** Reads the lines of a run's `metrics.jsonl`; other kinds are skipped, and unreadable lines counted. */
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

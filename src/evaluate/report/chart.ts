/** Charts as SVG text by ECharts, which needs no browser for it. */
import { LineChart, ScatterChart } from "echarts/charts";
import { GridComponent, LegendComponent } from "echarts/components";
import * as echarts from "echarts/core";
import { SVGRenderer } from "echarts/renderers";
import { Html, html } from "./html.js";

echarts.use([LineChart, ScatterChart, GridComponent, LegendComponent, SVGRenderer]);

/** Wide enough to be read at a phone's width, which is what it is drawn for; larger screens scale it up a little. */
const CHART_WIDTH = 360;

/** Colours are the page's, so that they follow light and dark; see `style.ts`. */
export const INK = {
  text: "var(--ink)",
  muted: "var(--muted)",
  line: "var(--line)",
  series: ["var(--s1)", "var(--s2)", "var(--s3)", "var(--s4)"],
} as const;

interface ChartText {
  /** Unlike any other chart's of the page: a word of letters, digits and dashes. */
  readonly id: string;
  /** What it shows, for who cannot see it. */
  readonly label: string;
  readonly height: number;
}

/**
 * @param option  ECharts' own; `axis` helps with the axes
 */
export function chartSvg({ id, label, height }: ChartText, option: echarts.EChartsCoreOption): Html {
  const chart = echarts.init(null, null, { renderer: "svg", ssr: true, width: CHART_WIDTH, height });
  try {
    chart.setOption({ animation: false, textStyle: { fontFamily: "inherit" }, ...option });
    return html`<svg role="img" aria-label="${label}" viewBox="0 0 ${CHART_WIDTH} ${height}">
      ${innerSvg(chart.renderToSVGString(), id)}
    </svg>`;
  } finally {
    chart.dispose();
  }
}

/** Without the outer tag, without styles for a mouse that nothing listens to, and with ids of its own. */
function innerSvg(svg: string, id: string): Html {
  const inner = svg
    .replace(/^<svg[^>]*>|<\/svg>\s*$/g, "")
    .replace(/<style\s*>[\s\S]*?<\/style>/g, "")
    .replace(/ class="zr\d+-cls-\d+"/g, "")
    .replace(/ pointer-events="visible"/g, "")
    .replace(/zr\d+-/g, `${id}-`)
    .replace(/\n+/g, "\n");
  return new Html(inner);
}

/** One axis of numbers, in the page's colours. */
export function axis(name: string, option: Readonly<Record<string, unknown>> = {}) {
  const { axisLabel, ...others } = option;
  return {
    type: "value",
    name,
    nameLocation: "middle",
    nameGap: 26,
    nameTextStyle: { color: INK.text, fontSize: 12 },
    axisLabel: { color: INK.muted, fontSize: 12, hideOverlap: true, ...(axisLabel as object | undefined) },
    axisLine: { show: true, lineStyle: { color: INK.muted } },
    axisTick: { show: false },
    splitLine: { lineStyle: { color: INK.line } },
    ...others,
  };
}

/** Fewer points than there are, where all of them would make the page slow and show no more. */

/** At most `most` of the items, spread evenly over their order, the first and the last among them. */
export function decimate<T>(items: readonly T[], most: number): readonly T[] {
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

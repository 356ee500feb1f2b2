/** Charts as SVG text by ECharts, which needs no browser for it. */
import { LineChart, ScatterChart } from "echarts/charts";
import { GridComponent, LegendComponent } from "echarts/components";
import * as echarts from "echarts/core";
import { SVGRenderer } from "echarts/renderers";
import { Html, html } from "./html.js";

echarts.use([LineChart, ScatterChart, GridComponent, LegendComponent, SVGRenderer]);

/** Width for a phone's screen; larger screens scale the chart up a little. */
export const CHART_WIDTH = 360;

/** The page's colors, which follow light and dark; see `page.ts`. */
export const INK = {
  text: "var(--ink)",
  muted: "var(--muted)",
  line: "var(--line)",
  series: ["var(--s1)", "var(--s2)", "var(--s3)", "var(--s4)"],
} as const;

interface ChartText {
  /** Letters, digits and dashes; unlike any other chart's of the page. */
  readonly id: string;
  /** Description for readers who cannot see it. */
  readonly label: string;
  readonly height: number;
  /** SVG over the chart; places a point of the first series in the chart's pixels. */
  readonly overlay?: (place: (point: readonly [number, number]) => readonly [number, number]) => Html;
}

/** @param option  ECharts' own; `axis` helps with the axes */
export function chartSvg({ id, label, height, overlay }: ChartText, option: echarts.EChartsCoreOption): Html {
  const chart = echarts.init(null, null, { renderer: "svg", ssr: true, width: CHART_WIDTH, height });
  try {
    chart.setOption({ animation: false, textStyle: { fontFamily: "inherit" }, ...option });
    return html`<svg role="img" aria-label="${label}" viewBox="0 0 ${CHART_WIDTH} ${height}">
      ${innerSvg(chart.renderToSVGString(), id)}${overlay === undefined ? "" : overlay(placeIn(chart))}
    </svg>`;
  } finally {
    chart.dispose();
  }
}

function placeIn(chart: echarts.ECharts) {
  return ([x, y]: readonly [number, number]): readonly [number, number] => {
    const [left = NaN, top = NaN] = chart.convertToPixel({ seriesIndex: 0 }, [x, y]);
    return [left, top];
  };
}

/** The SVG's contents without styles for the mouse, which nothing listens to, and with ids of the chart's own. */
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

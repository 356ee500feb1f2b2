/** Picture `labels.svg`: the contents of a run's lists, to be looked at before time is spent on them. */
import { extentOf } from "../../base/collections.js";
import { escapeHtml } from "../../base/text.js";
import type { Database, PairSample, Sample } from "../../data/sample.js";
import { SUBSETS } from "../../data/sample.js";
import type { LabelTables } from "../../model/prompts/labels.js";

/** Bins of the histogram of MOS, between the lowest and the highest of the database. */
const BINS = 12;

const PANEL = { width: 300, bar: 16, labels: 132, head: 30, gap: 24 };

type Bar = { readonly label: string; readonly count: number };

/** Histograms of each list, a row a list: MOS, scenes and distortions, with the number of images that have no label. */
export function labelsSvg(databases: readonly Database[], labels: LabelTables): string {
  const rows = databases.flatMap((database) => {
    const { name, pairs } = database;
    const compared = (["train", "val"] as const).flatMap((subset) => {
      const list = pairs?.[subset] ?? [];
      const title = `${name}, ${subset}: ${list.length} pairs`;
      return list.length === 0 ? [] : [{ title, panels: [{ title: "share that prefers a", bars: shareBars(list) }] }];
    });
    const span = spanOf(SUBSETS.flatMap((subset) => database[subset]));
    const scored = SUBSETS.filter((subset) => database[subset].length > 0).map((subset) => ({
      title: `${name}, ${subset}: ${database[subset].length} images`,
      panels: panelsOf(database[subset], span, labels),
    }));
    return [...compared, ...scored];
  });
  const heights = rows.map(
    ({ panels }) => PANEL.head + extentOf(panels.map(({ bars }) => bars.length + 1)).most * PANEL.bar,
  );
  const tops = heights.map((_, row) =>
    heights.slice(0, row).reduce((sum, height) => sum + height + PANEL.gap, PANEL.gap),
  );
  const width = 3 * PANEL.width + 2 * PANEL.gap;
  const height = heights.reduce((sum, one) => sum + one + PANEL.gap, PANEL.gap);
  const groups = rows.map(
    ({ title, panels }, row) =>
      `<g transform="translate(${PANEL.gap / 2} ${tops[row] ?? 0})">` +
      `<text font-size="14" font-weight="bold">${escapeHtml(title)}</text>\n` +
      `${panels.map((panel, col) => panelSvg(panel, col * (PANEL.width + PANEL.gap / 2))).join("")}</g>\n`,
  );
  const size = `viewBox="0 0 ${width} ${height}" width="${width}" height="${height}"`;
  const head = `<svg xmlns="http://www.w3.org/2000/svg" ${size} font-family="sans-serif" font-size="12">`;
  return `${head}\n<style>${STYLE}</style>\n${groups.join("")}</svg>\n`;
}

/** Light and dark by the reader's setting. */
const STYLE =
  "svg{background:#fff}text{fill:#16191d}rect{fill:#0b5fa5}" +
  "@media(prefers-color-scheme:dark){svg{background:#14171b}text{fill:#e9ebee}rect{fill:#6bb5ff}}";

interface Panel {
  readonly title: string;
  readonly bars: readonly Bar[];
}

type Span = { readonly lowest: number; readonly highest: number };

function spanOf(samples: readonly Sample[]): Span {
  let [lowest, highest] = [Infinity, -Infinity];
  for (const { mos } of samples) [lowest, highest] = [Math.min(lowest, mos), Math.max(highest, mos)];
  return { lowest, highest };
}

function panelsOf(samples: readonly Sample[], span: Span, { scenes, distortions }: LabelTables): Panel[] {
  const classes = Object.keys(distortions);
  return [
    {
      title: "MOS",
      bars: scoreBars(
        samples.map(({ mos }) => mos),
        span,
      ),
    },
    { title: "scenes", bars: labelBars(samples, scenes, (sample) => sample.scenes) },
    {
      title: "distortions",
      bars: labelBars(samples, classes, ({ distortion }) => (distortion === null ? [] : [distortion])),
    },
  ];
}

function shareBars(pairs: readonly PairSample[]): Bar[] {
  return scoreBars(
    pairs.map(({ p }) => p),
    { lowest: 0, highest: 1 },
  );
}

/** Equal bins; the highest score is in the last one. */
function scoreBars(scores: readonly number[], { lowest, highest }: Span): Bar[] {
  const width = (highest - lowest) / BINS;
  const counts = new Array<number>(BINS).fill(0);
  for (const score of scores) {
    const bin = width === 0 ? 0 : Math.min(BINS - 1, Math.floor((score - lowest) / width));
    counts[bin] = (counts[bin] ?? 0) + 1;
  }
  const figure = (value: number) => Number(value.toPrecision(3)).toString();
  return counts.map((count, bin) => ({
    label: `${figure(lowest + bin * width)} to ${figure(lowest + (bin + 1) * width)}`,
    count,
  }));
}

/** An image counts for each of its labels. */
function labelBars(
  samples: readonly Sample[],
  names: readonly string[],
  labelsOf: (sample: Sample) => readonly number[],
): Bar[] {
  const counts = names.map(() => 0);
  let without = 0;
  for (const sample of samples) {
    const labels = labelsOf(sample);
    if (labels.length === 0) without++;
    for (const label of labels) counts[label] = (counts[label] ?? 0) + 1;
  }
  const bars = names.map((label, i) => ({ label: label.replaceAll("_", " "), count: counts[i] ?? 0 }));
  return without === 0 ? bars : [...bars, { label: "no label", count: without }];
}

function panelSvg({ title, bars }: Panel, left: number): string {
  const room = PANEL.width - PANEL.labels - 40; // for the count behind the bar
  const most = Math.max(1, extentOf(bars.map(({ count }) => count)).most);
  const drawn = bars.map(({ label, count }, i) => {
    const y = PANEL.head + (i + 1) * PANEL.bar;
    const length = Math.round((room * count) / most);
    return (
      `<text x="${PANEL.labels - 6}" y="${y}" text-anchor="end">${escapeHtml(label)}</text>` +
      `<rect x="${PANEL.labels}" y="${y - 10}" width="${length}" height="11"/>` +
      `<text x="${PANEL.labels + length + 5}" y="${y}">${count}</text>\n`
    );
  });
  const head = `<text x="${PANEL.labels}" y="${PANEL.head - 6}">${title}</text>`;
  return `<g transform="translate(${left} 0)">${head}\n${drawn.join("")}</g>\n`;
}

/** Model card of a hub export: front matter, table of results, and the files in `.eval_results`. */
import { stringify } from "yaml";
import { MAIN_METRICS, type MainMetric, METRICS } from "../../evaluate/metrics/metrics.js";
import type { SavedResults } from "../../evaluate/results/splitSummary.js";
import { type Architecture, isVit } from "../../model/architecture/architecture.js";
import type { Card, ExportSource } from "../exportFormat.js";

/** True for a hierarchical stem, which transformers' own `CLIPModel` does not have. */
function hasStem({ vision }: Architecture): boolean {
  return isVit(vision) && vision.stem !== "patch";
}

type Database = SavedResults["databases"][number];

/** Hugging Face's names of the metrics, under which its model pages list them. */
const HUB_METRICS: Readonly<Record<MainMetric, string>> = {
  ...{ srcc: "spearmanr", plcc: "pearsonr", krcc: "kendalltau", rmse: "rmse" },
  ...{ sceneAccuracy: "accuracy", distortionAccuracy: "accuracy" },
};

const TASK = { type: "image-quality-assessment", name: "Image quality assessment" };

export function modelCard(source: ExportSource): Card {
  const text = `${encodersNote(source)}\n## Results\n\n${resultsTable(source)}\n`;
  return { frontMatter: `---\n${yamlOf(frontMatter(source))}---\n\n`, text };
}

function yamlOf(value: unknown): string {
  return stringify(value, { lineWidth: 0 });
}

function frontMatter({ training, architecture, results }: ExportSource) {
  const databases = namesOf(training?.["databases"]);
  const found = results?.databases ?? [];
  const metrics = MAIN_METRICS.filter((metric) => found.some((database) => database[metric].value !== null));
  return {
    ...{
      license: "other",
      license_name: "see-license-notes",
      license_link: "LICENSE-NOTES",
      library_name: "transformers",
    },
    tags: ["liqe", "clip", "image-quality-assessment", "onnx", ...(hasStem(architecture) ? ["custom_code"] : [])],
    ...(databases.length > 0 && { datasets: databases }),
    ...(metrics.length > 0 && { metrics: [...new Set(metrics.map((metric) => HUB_METRICS[metric]))] }),
    ...(results !== null && {
      "model-index": [{ name: nameOf(training), results: results.databases.map(indexEntry) }],
    }),
  };
}

/** Names in the records of databases. */
function namesOf(records: unknown): string[] {
  if (!Array.isArray(records)) return [];
  return records.flatMap((record: unknown) =>
    typeof record === "object" && record !== null && "name" in record ? [String(record.name)] : [],
  );
}

/** Name of the model: its run's. */
function nameOf(training: ExportSource["training"]): string {
  const config: unknown = training?.["config"];
  const run = typeof config === "object" && config !== null && "run" in config ? config.run : undefined;
  return typeof run === "string" ? `liqe-${run}` : "liqe";
}

/** Metrics of a database that have a value. */
function measured(database: Database) {
  return MAIN_METRICS.flatMap((metric) => {
    const { value, low, high } = database[metric];
    return value === null ? [] : [{ metric, value, low: low ?? null, high: high ?? null }];
  });
}

function indexEntry(database: Database) {
  const { name, split, subset } = database;
  const part = split === null ? {} : { config: `split-${split}` };
  return {
    task: TASK,
    dataset: { type: name, name, ...part, split: subset },
    metrics: measured(database).map(({ metric, value }) => {
      return { type: HUB_METRICS[metric], name: METRICS[metric].title, value };
    }),
  };
}

/**
 * Files of `.eval_results`, one a database, an entry a metric. Pages of models show those whose `dataset.id` is the
 * repository of a benchmark on the hub; here it is the database's name, and `task_id` the metric's.
 * @returns text by path; none where there are no results
 */
export function evaluationResults({ results }: ExportSource): Record<string, string> {
  if (results === null) return {};
  const names = [...new Set(results.databases.map(({ name }) => name))];
  const files = names.map((name) => {
    const entries = results.databases.filter((database) => database.name === name).flatMap((database) => entriesOf(database, results)); // prettier-ignore
    return [`.eval_results/${name.replaceAll(/[^\w.-]/g, "-")}.yaml`, yamlOf(entries)] as const;
  });
  return Object.fromEntries(files);
}

function entriesOf(database: Database, { protocol, crops }: SavedResults) {
  const { name, split, subset, images } = database;
  const list = `${split === null ? "" : `split ${split}, `}${subset} list, ${images} images`;
  const way = `protocol ${protocol}, ${crops === null ? "scores from a file" : `${crops} windows an image`}`;
  return measured(database).map(({ metric, value, low, high }) => {
    const interval = low === null || high === null ? "" : `; 95 % interval ${low.toFixed(3)} to ${high.toFixed(3)}`;
    return { dataset: { id: name, task_id: metric }, value, notes: `${list}; ${way}${interval}` };
  });
}

function resultsTable({ results }: ExportSource): string {
  if (results === null) return "No results were there when this folder was written; `liqe evaluate` measures them.\n";
  const head = ["database", "split", "list", "images", ...MAIN_METRICS.map((metric) => METRICS[metric].title)];
  const rows = results.databases.map((database) => {
    const { name, split, subset, images } = database;
    return [name, split ?? "-", subset, images, ...MAIN_METRICS.map((metric) => cell(database[metric]))];
  });
  const lines = [head, head.map(() => "---"), ...rows].map((row) => `| ${row.join(" | ")} |`);
  return `${lines.join("\n")}\n\nIn parentheses: 95 % intervals. Protocol ${results.protocol}, ${results.crops ?? "no"} windows an image.\n`;
}

function cell({ value, low, high }: Database[MainMetric]): string {
  if (value === null) return "-";
  const isKnown = typeof low === "number" && typeof high === "number";
  return `${value.toFixed(3)}${isKnown ? ` (${low.toFixed(3)} to ${high.toFixed(3)})` : ""}`;
}

/** Note on loading without the code of the folder. */
function encodersNote({ architecture }: ExportSource): string {
  return !hasStem(architecture)
    ? "`transformers.CLIPModel.from_pretrained` loads the two encoders alone, and reports `prompt_features`, the prompts'\nfeatures, as an unexpected tensor.\n"
    : "The image encoder has a hierarchical stem, which `transformers.CLIPModel` does not: `trust_remote_code=True` is needed.\n";
}

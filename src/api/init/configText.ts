/** Text of a first config, with the reason of each value beside it. */
import { existsSync } from "node:fs";
import type { DatabaseConfig } from "../../data/config.js";

export interface FoundDatabase {
  readonly settings: Omit<DatabaseConfig, "imagesPerStep">;
  readonly imagesPerStep: number;
  /** True where any training image has such a label. */
  readonly hasScenes: boolean;
  readonly hasDistortions: boolean;
  readonly summary: string;
  /** Line on images that are not there; null where all are. */
  readonly missing: string | null;
}

interface ConfigContents {
  /** Path that the config was asked for. */
  readonly given: string;
  readonly name: string;
  readonly root: string;
  readonly databases: readonly FoundDatabase[];
}

/** CLIP's weights, where `liqe weights fetch vit-b-32` puts them. */
const CLIP = "checkpoints/ViT-B-32.pt";

/** YAML of a config: with CLIP's weights where they are, else a small network from random weights. */
export function configText({ given, name, root, databases }: ConfigContents): string {
  const isPretrained = existsSync(CLIP);
  return [
    `# Written by "liqe init ${given.replace(/\s+/g, " ")}". Paths are relative to the folder in which liqe is called.`,
    ...databases.map(({ summary }) => `# ${summary}`),
    "# docs/config.md lists every key with its default and its meaning.",
    `run: ${scalar(name)} # names the folder checkpoints/<run>`,
    "seed: 1",
    "model:",
    ...(isPretrained ? PRETRAINED : FROM_RANDOM),
    "data:",
    `  root: ${scalar(root)}`,
    "  databases:",
    ...databases.flatMap(databaseLines),
    ...promptLines(databases),
    "train:",
    ...(isPretrained ? FINE_TUNING : FROM_SCRATCH),
    ...(isPretrained ? [] : ["evaluate:", "  validationCrops: 2 # windows of an image while training; 15 in the end"]),
    "",
  ].join("\n");
}

const PRETRAINED = ["  preset: vit-b-32", `  weights: ${CLIP} # OpenAI's CLIP`];

const FROM_RANDOM = [
  "  preset: vit-tiny # a small network that a CPU can train",
  `  weights: none # better: "liqe weights fetch vit-b-32", then preset: vit-b-32 and weights: ${CLIP}`,
];

/** Values of configs/kadid.yaml, which are the paper's. */
const FINE_TUNING = [
  "  epochs: 80",
  "  stepsPerEpoch: 200 # optimizer steps, not passes over the data",
  "  learningRate: 5.0e-6",
  "  weightDecay: 1.0e-3",
];

/** Values of configs/quickstart.yaml. */
const FROM_SCRATCH = [
  "  epochs: 5",
  "  stepsPerEpoch: 60 # optimizer steps, not passes over the data",
  "  cropsPerImage: 1",
  "  learningRate: 5.0e-4 # 5.0e-6 for pretrained weights",
  "  weightDecay: 0.05",
  "  schedule: cosine-steps",
  "  warmupSteps: 20",
  "  clipNorm: 1",
  "  saveEverySteps: 60",
];

function databaseLines({ settings, imagesPerStep }: FoundDatabase): string[] {
  const { name, folder, train, val, test, list, source, split, content } = settings;
  const lists = Object.entries({ train, val, test }).flatMap(([key, file]) =>
    file === undefined ? [] : [`${key}: ${scalar(file)}`],
  );
  const lines = [
    `name: ${scalar(name)}`,
    ...(folder === undefined ? [] : [`folder: ${scalar(folder)}`]),
    ...lists,
    ...(source === undefined ? [] : [`source: ${scalar(source)} # relative to the folder that liqe runs in`]),
    ...(list === undefined ? [] : [`list: ${scalar(list)}`]),
    ...(split === undefined ? [] : [`split: ${split} # percent to train on, to validate, to test`]),
    ...(content?.column === undefined
      ? []
      : [`content: { column: ${scalar(content.column)} } # images of one content stay in one part`]),
    `imagesPerStep: ${imagesPerStep}`,
  ];
  return lines.map((line, i) => `${i === 0 ? "    - " : "      "}${line}`);
}

/** Prompts and losses of the tasks that the lists have labels for. */
function promptLines(databases: readonly FoundDatabase[]): string[] {
  const hasScenes = databases.some((database) => database.hasScenes);
  const hasDistortions = databases.some((database) => database.hasDistortions);
  const scene = hasScenes ? " of a {scene}" : "";
  const distortion = hasDistortions ? " with {distortion} artifacts," : hasScenes ? "," : "";
  const missing = [...(hasScenes ? [] : ["scene"]), ...(hasDistortions ? [] : ["distortion"])];
  const why = missing.length === 0 ? "" : ` # the lists have no labels of ${missing.join(" and ")}`;
  return [
    "prompts:",
    `  template: "a photo${scene}${distortion} which is of {quality} quality"${why}`,
    "losses:",
    "  weighting: equal",
    `  weights: { quality: 4, distortion: ${hasDistortions ? 1 : 0}, scene: ${hasScenes ? 1 : 0} }`,
  ];
}

/** A string as YAML takes it: bare where that is safe, else in JSON's quotes, which are YAML's too. */
function scalar(text: string): string {
  const isBare = /^[A-Za-z./][\w./-]*$/.test(text) && !/^(true|false|null|yes|no|on|off|\.nan|\.inf)$/i.test(text);
  return isBare ? text : JSON.stringify(text);
}

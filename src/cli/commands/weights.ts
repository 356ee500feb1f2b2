import type { Argv } from "yargs";
import type { OnnxReport } from "../../export/onnx/inspectOnnx.js";
import type { TfjsReport } from "../../export/tfjs/inspectTfjs.js";
import type { Architecture } from "../../model/architecture/architecture.js";
import type { WeightsReport } from "../../model/weights/inspectWeights.js";
import { defineCommand } from "../command.js";
import { wholeNumberOption } from "../options.js";

/** Where `fetch` puts files, and where the configs look for them. */
const CHECKPOINTS = "checkpoints";

export const weightsInspectCommand = defineCommand({
  command: "inspect <file>",
  describe: "say what a weight file holds, and whether it is whole and safe",
  builder: (yargs) =>
    allowNonFinite(
      yargs.positional("file", { type: "string", demandOption: true, describe: ".safetensors, .pt or .onnx" }),
    )
      .option("json", { type: "boolean", default: false, describe: "one JSON object on standard output" })
      .example("$0 weights inspect checkpoints/ViT-B-32.pt", "architecture, types, checksum"),
  handler: async ({ file, json, allowNonFinite }) => {
    const { inspectTfjs, tfjsFolder } = await import("../../export/tfjs/inspectTfjs.js");
    const folder = await tfjsFolder(file);
    if (folder !== null) {
      const report = await inspectTfjs(folder);
      process.stdout.write(json ? `${JSON.stringify(report, null, 2)}\n` : describeTfjs(report));
      return;
    }
    const { inspectOnnx, isOnnx } = await import("../../export/onnx/inspectOnnx.js");
    if (await isOnnx(file)) {
      const report = await inspectOnnx(file);
      process.stdout.write(json ? `${JSON.stringify(report, null, 2)}\n` : describeOnnx(report));
      return;
    }
    const { inspectWeights } = await import("../../model/weights/inspectWeights.js");
    const report = await inspectWeights(file, { allowNonFinite });
    process.stdout.write(json ? `${JSON.stringify(report, null, 2)}\n` : describeWeights(report));
  },
});

export const weightsConvertCommand = defineCommand({
  command: "convert <file>",
  describe: "write a weight file as safetensors, OpenAI's names, float32",
  builder: (yargs) =>
    allowNonFinite(yargs.positional("file", { type: "string", demandOption: true, describe: ".safetensors or .pt" }))
      .option("out", {
        type: "string",
        demandOption: true,
        requiresArg: true,
        describe: "the .safetensors file to write",
      })
      .option("image-size", {
        ...wholeNumberOption("image-size", 1),
        describe: "interpolate the position embedding to images of this many pixels",
      })
      .example("$0 weights convert checkpoints/ViT-B-32.pt --out checkpoints/vit-b-32.safetensors", ""),
  handler: async ({ file, out, imageSize, allowNonFinite }) => {
    const [{ convertWeights }, { createProgress }] = await Promise.all([
      import("../../model/weights/convertWeights.js"),
      import("../progress.js"),
    ]);
    const progress = createProgress();
    try {
      const size = imageSize === undefined ? {} : { imageSize };
      await convertWeights(file, out, { allowNonFinite, ...size, report: progress.progress });
    } finally {
      progress.stop();
    }
    process.stdout.write(`${out}\n`);
  },
});

export const weightsFetchCommand = defineCommand({
  command: "fetch <name>",
  describe: "download OpenAI's CLIP weights, checked by their published SHA-256",
  builder: (yargs) =>
    yargs
      .positional("name", { type: "string", demandOption: true, describe: "vit-b-32, vit-b-16 or vit-l-14" })
      .option("out", {
        type: "string",
        requiresArg: true,
        describe: `the file to write  [default: ${CHECKPOINTS}/...]`,
      })
      .option("mirror", {
        type: "string",
        requiresArg: true,
        describe: "an address that has OpenAI's folders below it",
      })
      .example("$0 weights fetch vit-b-32", `354 MB into ${CHECKPOINTS}/ViT-B-32.pt; goes on where it was stopped`)
      .epilogue("Proxies: https_proxy, http_proxy, all_proxy and no_proxy are followed."),
  handler: async ({ name, out, mirror }) => {
    const [{ fetchWeights }, { publishedFile }, { createProgress }] = await Promise.all([
      import("../../model/weights/fetchWeights.js"),
      import("../../model/weights/published.js"),
      import("../progress.js"),
    ]);
    const published = publishedFile(name);
    const target = out ?? `${CHECKPOINTS}/${published.file}`;
    const progress = createProgress();
    try {
      const from = mirror === undefined ? {} : { mirror };
      const wasThere = await fetchWeights(published, target, { ...from, report: progress.progress });
      if (wasThere) progress.note(`${target} is there already and has the published checksum: kept`);
    } finally {
      progress.stop();
    }
    process.stdout.write(`${target}\n`);
  },
});

function allowNonFinite<T>(yargs: Argv<T>) {
  return yargs.option("allow-non-finite", {
    type: "boolean",
    default: false,
    describe: "read on where values are NaN or infinite",
  });
}

/** The report for people. */
export function describeWeights(report: WeightsReport): string {
  const { file, format, naming, wrappers, sha256, published, preset, architecture, parameters, logitScale } = report;
  const dtypes = Object.entries(report.dtypes).map(([dtype, count]) => `${count} ${dtype}`);
  const under = wrappers.length === 0 ? "" : `, under ${wrappers.join(" ")}`;
  const lines = [
    `format        ${format}, ${naming}'s names${under}`,
    `SHA-256       ${sha256}${published === null ? "" : `, OpenAI's published ${published}`}`,
    `architecture  ${preset ?? "no preset"}: ${describeArchitecture(architecture)}`,
    `parameters    ${parameters.toLocaleString("en")} in ${report.tensors.length} tensors (${dtypes.join(", ")})`,
    `logit scale   ${logitScale.toFixed(2)}`,
  ];
  return [
    file,
    ...lines.map((line) => `  ${line}`),
    "",
    ...describeTensors(report).map((line) => `  ${line}`),
    "",
  ].join("\n");
}

function describeArchitecture({ vision, text, embedding }: Architecture): string {
  const tower = (t: { layers: number; width: number; heads: number }) =>
    `${t.layers} layers of width ${t.width}, ${t.heads} heads`;
  const stem = vision.stem === "patch" ? "" : ` by a stem of ${vision.stem.length} levels`;
  return (
    `image ${tower(vision)}, ${vision.imageSize} pixels in patches of ${vision.patchSize}${stem}; ` +
    `text ${tower(text)}, ${text.contextLength} positions, ${text.vocabulary} tokens; embedding ${embedding}`
  );
}

/** The report on weights for TensorFlow.js for people. */
function describeTfjs(report: TfjsReport): string {
  const { file, dtype, shards, bytes, model, prompts, parameters, tensors } = report;
  const dtypes = Object.entries(report.dtypes).map(([name, count]) => `${count} ${name}`);
  const lines = [
    `format        TensorFlow.js, ${dtype}: ${(bytes / 1e6).toFixed(1)} MB in ${shards} shard${shards === 1 ? "" : "s"}, checksums hold`,
    `written by    ${report.package.name} ${report.package.version}`,
    `architecture  ${model.preset ?? "no preset"}: ${describeArchitecture(model.architecture)}`,
    `prompts       ${prompts.template}: their features in place of the text tower`,
    `numbers       ${parameters.toLocaleString("en")} in ${tensors.length} tensors (${dtypes.join(", ")})`,
    `logit scale   ${model.logitScale.toFixed(2)}`,
  ];
  const rows = describeTensors(report);
  return [file, ...lines.map((line) => `  ${line}`), "", ...rows.map((line) => `  ${line}`), ""].join("\n");
}

/** The report on an ONNX model for people. */
function describeOnnx(report: OnnxReport): string {
  const { file, sha256, producer, opset, liqe, inputs, outputs, nodes, parameters } = report;
  const dtypes = Object.entries(report.dtypes).map(([dtype, count]) => `${count} ${dtype}`);
  const end = ({ name, type, shape, meaning }: OnnxReport["inputs"][number]) =>
    `${name} ${type} [${shape.join(", ")}]${meaning === "" ? "" : `: ${meaning}`}`;
  const lines = [
    `format        ONNX, opset ${opset}, ${nodes} nodes, written by ${producer}`,
    `SHA-256       ${sha256}`,
    liqe === null
      ? "architecture  not known: liqe export did not write it"
      : `architecture  ${liqe.model.preset ?? "no preset"}: ${describeArchitecture(liqe.model.architecture)}`,
    ...(liqe === null ? [] : [`prompts       ${liqe.prompts.template}`]),
    `numbers       ${parameters.toLocaleString("en")} in ${report.tensors.length} tensors (${dtypes.join(", ")})`,
    ...inputs.map((input) => `input         ${end(input)}`),
    ...outputs.map((output) => `output        ${end(output)}`),
  ];
  const tensors = describeTensors({ tensors: report.tensors.filter(({ name }) => !name.startsWith("constant.")) });
  return [file, ...lines.map((line) => `  ${line}`), "", ...tensors.map((line) => `  ${line}`), ""].join("\n");
}

/** One line for what all blocks of a tower have alike: `visual.transformer.resblocks.0-11.ln_1.weight F16 [768]`. */
function describeTensors({
  tensors,
}: {
  readonly tensors: readonly { readonly name: string; readonly dtype: string; readonly shape: readonly number[] }[];
}): string[] {
  const groups = new Map<string, number[]>();
  for (const { name, dtype, shape } of tensors) {
    const line = `${name} ${dtype} [${shape.join(", ")}]`;
    const block = /\.resblocks\.(\d+)\./.exec(line)?.[1];
    const key = block === undefined ? line : line.replace(`.resblocks.${block}.`, ".resblocks.*.");
    groups.set(key, [...(groups.get(key) ?? []), ...(block === undefined ? [] : [Number(block)])]);
  }
  return [...groups].map(([line, blocks]) => line.replace("*", ranges(blocks)));
}

/** [0, 1, 2, 5] → "0-2,5" */
function ranges(numbers: readonly number[]): string {
  const spans: [number, number][] = [];
  for (const n of [...numbers].sort((a, b) => a - b)) {
    const last = spans.at(-1);
    if (last?.[1] === n - 1) last[1] = n;
    else spans.push([n, n]);
  }
  return spans.map(([first, last]) => (first === last ? String(first) : `${first}-${last}`)).join(",");
}

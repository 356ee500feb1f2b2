import path from "node:path";
import type { Argv } from "yargs";
import type { OnnxReport } from "../../export/onnx/inspectOnnx.js";
import type { TfjsReport } from "../../export/tfjs/inspectTfjs.js";
import type { Architecture, ResNet, SiglipVision, VitArchitecture } from "../../model/architecture/architecture.js";
import type { WeightsReport } from "../../model/weights/inspectWeights.js";
import { defineCommand, printReport, table } from "../command.js";
import { flagOption, jsonOption, kindOptions, requiredOption, textOption, wholeNumberOption } from "../options.js";

/** Folder of fetched files, in which the configs look for them. */
const CHECKPOINTS = "checkpoints";

export const weightsListCommand = defineCommand({
  command: "list",
  describe: "list the published weights that are known, and which of them are there",
  builder: (yargs) => yargs.option("json", jsonOption).example("$0 weights list", "names for weights fetch"),
  handler: async (options) => {
    const [{ existsSync }, { OPENAI_FILES }] = await Promise.all([
      import("node:fs"),
      import("../../model/weights/published.js"),
    ]);
    const known = Object.entries(OPENAI_FILES).map(([name, { file, bytes, sha256, address }]) => {
      return {
        name,
        file: `${CHECKPOINTS}/${file}`,
        bytes,
        sha256,
        address,
        isThere: existsSync(`${CHECKPOINTS}/${file}`),
      };
    });
    printReport(known, options, (files) =>
      table([
        ["name", "MB", "there", "file"],
        ...files.map(({ name, bytes, isThere, file }) => {
          return [name, bytes === null ? "?" : (bytes / 1e6).toFixed(0), isThere ? "yes" : "no", file];
        }),
      ]),
    );
  },
});

export const weightsInspectCommand = defineCommand({
  command: "inspect <file>",
  describe: "show what a weight file holds, and check it",
  builder: (yargs) =>
    allowNonFinite(
      kindOptions(yargs).positional("file", {
        type: "string",
        demandOption: true,
        describe: ".safetensors, .pt, .onnx, or a folder of them",
      }),
    )
      .option("json", jsonOption)
      .example("$0 weights inspect checkpoints/ViT-B-32.pt", "architecture, types, checksum"),
  writes: () => [],
  handler: async ({ file, allowNonFinite, heads, activation, ...options }) => {
    const { inspectTfjs, tfjsFolder } = await import("../../export/tfjs/inspectTfjs.js");
    const folder = await tfjsFolder(file);
    if (folder !== null) {
      printReport(await inspectTfjs(folder), options, describeTfjs);
      return;
    }
    const { inspectOnnx, isOnnx } = await import("../../export/onnx/inspectOnnx.js");
    if (await isOnnx(file)) {
      printReport(await inspectOnnx(file), options, describeOnnx);
      return;
    }
    const { inspectWeights } = await import("../../model/weights/inspectWeights.js");
    const { weightFileOf } = await import("../../api/openModel.js");
    const { kindAsked } = await import("../../model/weights/kind/encoderKind.js");
    const kind = kindAsked({ heads, activation });
    const weights = await weightFileOf(file);
    printReport(await inspectWeights(weights, { allowNonFinite, kind }), options, describeWeights);
  },
});

const IMAGE_SIZE = "interpolate the position embedding to images of this many pixels";

export const weightsConvertCommand = defineCommand({
  command: "convert <file>",
  describe: "write a weight file as safetensors, OpenAI's names, float32",
  builder: (yargs) =>
    allowNonFinite(
      kindOptions(yargs).positional("file", { type: "string", demandOption: true, describe: ".safetensors or .pt" }),
    )
      .option("out", requiredOption("the .safetensors file to write"))
      .option("image-size", wholeNumberOption("image-size", 1, IMAGE_SIZE))
      .example("$0 weights convert checkpoints/ViT-B-32.pt --out vit-b-32.safetensors", ""),
  writes: ({ out }) => [path.dirname(out)],
  handler: async ({ file, out, imageSize, allowNonFinite, heads, activation }) => {
    const { convertWeights } = await import("../../model/weights/convertWeights.js");
    const { weightFileOf } = await import("../../api/openModel.js");
    const from = await weightFileOf(file);
    const { withProgress } = await import("../progress.js");
    const size = imageSize === undefined ? {} : { imageSize };
    const { kindAsked } = await import("../../model/weights/kind/encoderKind.js");
    const kind = kindAsked({ heads, activation });
    await withProgress(async ({ progress, note }) => {
      const assumption = await convertWeights(from, out, { allowNonFinite, kind, ...size, report: progress });
      if (assumption !== null) note(assumption);
    });
    process.stdout.write(`${out}\n`);
  },
});

export const weightsFetchCommand = defineCommand({
  command: "fetch <name>",
  describe: "download OpenAI's CLIP weights, checked by their published SHA-256",
  builder: (yargs) =>
    yargs
      .positional("name", {
        type: "string",
        demandOption: true,
        describe: "vit-b-32, vit-l-14-336, rn50 ...: see weights list",
      })
      .option("out", textOption(`the file to write  [default: ${CHECKPOINTS}/...]`))
      .option("mirror", textOption("an address that has OpenAI's folders below it"))
      .example("$0 weights fetch vit-b-32", `354 MB into ${CHECKPOINTS}/ViT-B-32.pt; goes on where it was stopped`)
      .epilogue("Proxies: https_proxy, http_proxy, all_proxy and no_proxy are followed."),
  handler: async ({ name, out, mirror }) => {
    const { fetchWeights } = await import("../../model/weights/fetchWeights.js");
    const { publishedFile } = await import("../../model/weights/published.js");
    const { withProgress } = await import("../progress.js");
    const published = publishedFile(name);
    const target = out ?? `${CHECKPOINTS}/${published.file}`;
    await withProgress(async (progress) => {
      const from = mirror === undefined ? {} : { mirror };
      const wasThere = await fetchWeights(published, target, { ...from, report: progress.progress });
      if (wasThere) progress.note(`${target} is there already and has the published checksum: kept`);
    });
    process.stdout.write(`${target}\n`);
  },
});

function allowNonFinite<T>(yargs: Argv<T>) {
  return yargs.option("allow-non-finite", flagOption("read on where values are NaN or infinite"));
}

/** Report on weights for people. */
export function describeWeights(report: WeightsReport): string {
  const { format, naming, wrappers, sha256, published, preset, architecture, parameters, logitScale } = report;
  const under = wrappers.length === 0 ? "" : `, under ${wrappers.join(" ")}`;
  return describe(report, report.tensors, [
    `format        ${format}, ${naming}'s names${under}`,
    `SHA-256       ${sha256}${published === null ? "" : `, OpenAI's published ${published}`}`,
    `architecture  ${preset ?? "no preset"}: ${describeArchitecture(architecture)}`,
    ...Object.entries(report.sources).map(([name, source]) => `  ${name.padEnd(18)} by ${source}`),
    ...(report.assumed.length === 0
      ? []
      : [`assumed       ${report.assumed.join(", ")}: nothing says it; taken as OpenAI's`]),
    `parameters    ${counts(parameters, report)}`,
    ...(architecture.text.kind === undefined ? [] : [`tokenizer     ${report.tokenizer ?? NO_TOKENIZER}`]),
    `logit scale   ${logitScale.toFixed(2)}`,
  ]);
}

const NO_TOKENIZER = "none beside it: put spiece.model or tokenizer.json of its folder there, to train and to score";

type ReportedTensors = readonly { readonly name: string; readonly dtype: string; readonly shape: readonly number[] }[];

/** Report for people: the file, the lines about it, its tensors. */
function describe({ file }: { readonly file: string }, tensors: ReportedTensors, lines: readonly string[]): string {
  const indented = (text: readonly string[]) => text.map((line) => `  ${line}`);
  return [file, ...indented(lines), "", ...indented(describeTensors(tensors)), ""].join("\n");
}

/** Number of values, of tensors, and of tensors of each type. */
function counts(
  values: number,
  { tensors, dtypes }: Pick<WeightsReport | OnnxReport | TfjsReport, "tensors" | "dtypes">,
) {
  const byType = Object.entries(dtypes).map(([dtype, count]) => `${count} ${dtype}`);
  return `${values.toLocaleString("en")} in ${tensors.length} tensors (${byType.join(", ")})`;
}

function describeArchitecture({ vision, text, embedding }: Architecture): string {
  const tower = (t: Pick<Architecture["text"], "layers" | "width" | "heads" | "activation">) =>
    `${t.layers} layers of width ${t.width}, ${t.heads} heads of ${t.width / t.heads}, ${t.activation}`;
  const vit = (t: VitArchitecture["vision"]) => {
    const stem = t.stem === "patch" ? "" : ` by a stem of ${t.stem.length} levels`;
    return `${tower(t)}, ${t.imageSize} pixels in patches of ${t.patchSize}${stem}`;
  };
  const siglip = (t: SiglipVision) =>
    `SigLIP's, ${tower(t)}, ${t.imageSize} pixels in patches of ${t.patchSize}, attention pooling`;
  const resNet = ({ stages, width, heads, imageSize }: ResNet) =>
    `ResNet of ${stages.join(", ")} bottlenecks from width ${width}, attention pooling of ${heads} heads, ${imageSize} pixels`;
  const image = vision.kind === "resnet" ? resNet(vision) : vision.kind === "siglip" ? siglip(vision) : vit(vision);
  return (
    `image ${image}; ` +
    `text ${text.kind === "siglip" ? "not causal, " : ""}${tower(text)}, ${text.contextLength} positions, ${text.vocabulary} tokens; embedding ${embedding}`
  );
}

/** Report on weights for TensorFlow.js for people. */
function describeTfjs(report: TfjsReport): string {
  const { dtype, shards, bytes, model, prompts, parameters } = report;
  return describe(report, report.tensors, [
    `format        TensorFlow.js, ${dtype}: ${(bytes / 1e6).toFixed(1)} MB in ${shards} shard${shards === 1 ? "" : "s"}, checksums hold`,
    `written by    ${report.package.name} ${report.package.version}`,
    `architecture  ${model.preset ?? "no preset"}: ${describeArchitecture(model.architecture)}`,
    `prompts       ${prompts.template}: their features in place of the text tower`,
    `numbers       ${counts(parameters, report)}`,
    `logit scale   ${model.logitScale.toFixed(2)}`,
  ]);
}

/** Report on an ONNX model for people. */
function describeOnnx(report: OnnxReport): string {
  const { sha256, producer, opset, liqe, inputs, outputs, nodes, parameters } = report;
  const end = ({ name, type, shape, meaning }: OnnxReport["inputs"][number]) =>
    `${name} ${type} [${shape.join(", ")}]${meaning === "" ? "" : `: ${meaning}`}`;
  const tensors = report.tensors.filter(({ name }) => !name.startsWith("constant."));
  return describe(report, tensors, [
    `format        ONNX, opset ${opset}, ${nodes} nodes, written by ${producer}`,
    `SHA-256       ${sha256}`,
    liqe === null
      ? "architecture  not known: liqe export did not write it"
      : `architecture  ${liqe.model.preset ?? "no preset"}: ${describeArchitecture(liqe.model.architecture)}`,
    ...(liqe === null ? [] : [`prompts       ${liqe.prompts.template}`]),
    `numbers       ${counts(parameters, report)}`,
    ...inputs.map((input) => `input         ${end(input)}`),
    ...outputs.map((output) => `output        ${end(output)}`),
  ]);
}

/** Lines on tensors; equal ones of a tower's blocks share one: `visual.transformer.resblocks.0-11.ln_1.weight F16 [768]`. */
function describeTensors(tensors: ReportedTensors): string[] {
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

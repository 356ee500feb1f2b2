import { ConfigError } from "../base/errors.js";
import { didYouMean } from "../base/text.js";
import { EXPORT_DTYPES, EXPORT_FORMATS, type ExportDtype, type ExportFormatName } from "../inference/manifest.js";
import type { ExportFormat } from "./exportFormat.js";
import { hubFormat } from "./hub/hubFormat.js";
import { onnxFormat } from "./onnx/onnxFormat.js";
import { openaiFormat } from "./openaiFormat.js";
import { safetensorsFormat } from "./safetensorsFormat.js";
import { tfjsFormat } from "./tfjs/tfjsFormat.js";

/** Export formats: a new one is a file and a row here, its name in `EXPORT_FORMATS`. */
const FORMATS: Readonly<Record<ExportFormatName, ExportFormat>> = {
  safetensors: safetensorsFormat,
  openai: openaiFormat,
  onnx: onnxFormat,
  tfjs: tfjsFormat,
  hub: hubFormat,
};

/**
 * Formats of `--format safetensors,onnx` with the type of `--dtype f16`; each format's first type where none is given.
 * @throws {ConfigError} for an unknown format or type, a format named twice, or a type that a format does not have
 */
export function chooseFormats(
  names: string,
  dtype: string | undefined,
): { readonly format: ExportFormat; readonly dtype: ExportDtype }[] {
  const wanted = names.split(",").map((name) => name.trim());
  const twice = wanted.find((name, i) => wanted.indexOf(name) !== i);
  if (twice !== undefined) throw new ConfigError(`--format: ${twice} is named twice; name it once`);
  return wanted.map((name) => {
    const known = EXPORT_FORMATS.find((candidate) => candidate === name);
    if (known !== undefined) return { format: FORMATS[known], dtype: chooseDtype(FORMATS[known], dtype) };
    const names = EXPORT_FORMATS.join(", ");
    throw new ConfigError(
      `--format: there is no "${name}"${didYouMean(name, EXPORT_FORMATS)}; give one or more of ${names}, with commas`,
    );
  });
}

function chooseDtype({ name, dtypes }: ExportFormat, wanted: string | undefined): ExportDtype {
  if (wanted === undefined) return dtypes[0];
  const found = dtypes.find((dtype) => dtype === wanted);
  if (found !== undefined) return found;
  const isKnown = EXPORT_DTYPES.some((dtype) => dtype === wanted);
  const what = isKnown ? `${name} has no ${wanted}` : `there is no "${wanted}"${didYouMean(wanted, EXPORT_DTYPES)}`;
  throw new ConfigError(`--dtype: ${what}; weights of ${name} are ${dtypes.join(" or ")}`);
}

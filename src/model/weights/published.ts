import { stat } from "node:fs/promises";
import { ConfigError } from "../../base/errors.js";
import { sha256OfFile } from "../../base/files.js";
import { presetName, type PresetName, PRESETS } from "../architecture/presets.js";
import { TOKEN_EMBEDDING } from "../parameters/parameters.js";
import { countParameters, parameterShapes, sizeOf } from "../parameters/shapes.js";

interface PublishedFile {
  readonly file: string;
  readonly address: string;
  /** Null where only the checksum is published. */
  readonly bytes: number | null;
  readonly sha256: string;
}

/** OpenAI's CLIP files (openai/CLIP, clip/clip.py): the checksum is part of the address, as OpenAI publishes it. */
export const OPENAI_FILES = {
  "vit-b-32": openAi("ViT-B-32.pt", "40d365715913c9da98579312b702a82c18be219cc2a73407c4526f58eba950af", 353_976_522),
  "vit-b-16": openAi("ViT-B-16.pt", "5806e77cd80f8b59890b7e101eabd078d9fb84e6937f9e85e4ecb61988df416f", 350_837_078),
  "vit-l-14": openAi("ViT-L-14.pt", "b8cca3fd41ae0c99ba7e8951adf17d267cdb84cd88be6f7c2e0eca1737a03836", 932_768_134),
  "vit-l-14-336": openAi("ViT-L-14-336px.pt", "3035c92b350959924f9f00213499208652fc7ea050643e8b385c2dac08641f02"),
  rn50: openAi("RN50.pt", "afeb0e10f9e5a86da6080e35cf09123aca3b358a0c3e3b6c78a7b63bc04b6762"),
  rn101: openAi("RN101.pt", "8fa8567bab74a42d41c5915025a8e4538c3bdbe8804a470a72f30b0d94fab599"),
  rn50x4: openAi("RN50x4.pt", "7e526bd135e493cef0776de27d5f42653e6b4c8bf9e0f653bb11773263205fdd"),
  rn50x16: openAi("RN50x16.pt", "52378b407f34354e150460fe41077663dd5b39c54cd0bfd2b27167a4a06ec9aa"),
  rn50x64: openAi("RN50x64.pt", "be1cfb55d75a9666199fb2206c106743da0f6468c9d327f3e0d0a543a9919d9c"),
} as const satisfies Partial<Record<PresetName, PublishedFile>>;

function openAi(file: string, sha256: string, bytes: number | null = null): PublishedFile {
  return { file, address: `https://openaipublic.azureedge.net/clip/models/${sha256}/${file}`, bytes, sha256 };
}

/** OpenAI's file for a preset's name or alias. @throws {ConfigError} for a name that OpenAI published nothing for */
export function publishedFile(name: string): PublishedFile {
  const preset = presetName(name);
  const found = Object.entries<PublishedFile>(OPENAI_FILES).find(([known]) => known === preset);
  if (found !== undefined) return found[1];
  throw new ConfigError(
    `weights fetch: OpenAI published no ${preset}; there are ${Object.keys(OPENAI_FILES).join(", ")}`,
  );
}

/** Preset of a file that is one of OpenAI's, or null; only a file of about the right size is read. */
export async function recognizeFile(file: string): Promise<keyof typeof OPENAI_FILES | null> {
  const size = await stat(file).then(({ size: bytes }) => bytes);
  const names = Object.keys(OPENAI_FILES) as (keyof typeof OPENAI_FILES)[]; // keys of a literal
  const candidates = names.filter((name) => isOfSize(name, size));
  if (candidates.length === 0) return null;
  const sha256 = await sha256OfFile(file);
  return candidates.find((name) => OPENAI_FILES[name].sha256 === sha256) ?? null;
}

/** Part that an estimate may be off by: archives hold code and names besides. */
const ESTIMATE = 0.05;

/** True for the published size; where none is published, for about two bytes a weight and four a token's. */
function isOfSize(name: keyof typeof OPENAI_FILES, size: number): boolean {
  const { bytes }: PublishedFile = OPENAI_FILES[name];
  if (bytes !== null) return bytes === size;
  const shapes = parameterShapes(PRESETS[name]);
  const estimate = 2 * (countParameters(shapes) + sizeOf(shapes.get(TOKEN_EMBEDDING) ?? []));
  return Math.abs(size - estimate) < ESTIMATE * estimate;
}

/** OpenAI's file that has this SHA-256, or null. */
export function recognize(sha256: string): PublishedFile | null {
  return Object.values(OPENAI_FILES).find((published) => published.sha256 === sha256) ?? null;
}

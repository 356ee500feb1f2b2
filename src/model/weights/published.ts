import { stat } from "node:fs/promises";
import { ConfigError } from "../../base/errors.js";
import { sha256OfFile } from "../../base/files.js";
import { presetName, type PresetName } from "../architecture/presets.js";

interface PublishedFile {
  readonly file: string;
  readonly address: string;
  readonly bytes: number;
  readonly sha256: string;
}

/** OpenAI's CLIP files (openai/CLIP, clip/clip.py): the checksum is part of the address, as OpenAI publishes it. */
export const OPENAI_FILES = {
  "vit-b-32": openAi("ViT-B-32.pt", "40d365715913c9da98579312b702a82c18be219cc2a73407c4526f58eba950af", 353_976_522),
  "vit-b-16": openAi("ViT-B-16.pt", "5806e77cd80f8b59890b7e101eabd078d9fb84e6937f9e85e4ecb61988df416f", 350_837_078),
  "vit-l-14": openAi("ViT-L-14.pt", "b8cca3fd41ae0c99ba7e8951adf17d267cdb84cd88be6f7c2e0eca1737a03836", 932_768_134),
} as const satisfies Partial<Record<PresetName, PublishedFile>>;

function openAi(file: string, sha256: string, bytes: number): PublishedFile {
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

/** Preset of a file that is one of OpenAI's, or null; only a file of the right size is read. */
export async function recognizeFile(file: string): Promise<keyof typeof OPENAI_FILES | null> {
  const size = await stat(file).then(({ size: bytes }) => bytes);
  const names = Object.keys(OPENAI_FILES) as (keyof typeof OPENAI_FILES)[]; // keys of a literal
  const candidate = names.find((name) => OPENAI_FILES[name].bytes === size);
  if (candidate === undefined) return null;
  return (await sha256OfFile(file)) === OPENAI_FILES[candidate].sha256 ? candidate : null;
}

/** OpenAI's file that has this SHA-256, or null. */
export function recognize(sha256: string): PublishedFile | null {
  return Object.values(OPENAI_FILES).find((published) => published.sha256 === sha256) ?? null;
}

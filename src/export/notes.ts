/** Texts of an export's folder for people: README.md, and the notes on licenses. */
import path from "node:path";
import { writeDurable } from "../base/files.js";
import type { ExportManifest } from "../inference/manifest.js";
import type { ExportFormat, ExportSource } from "./exportFormat.js";

type Description = Omit<ExportManifest, "files">;

/** Format, what is known of the export, and the model that its notes are about. */
interface Noted {
  readonly description: Description;
  readonly source: ExportSource;
}

export async function writeNotes(folder: string, format: ExportFormat, noted: Noted): Promise<void> {
  const { description } = noted;
  const texts = { [description.licence]: licenseNotes(description), "README.md": readme(format, noted) };
  for (const [name, text] of Object.entries(texts)) {
    await writeDurable(path.join(folder, name), (handle) => handle.writeFile(text));
  }
}

/** Description of the folder, with code for each runtime. */
function readme(format: ExportFormat, { description, source }: Noted): string {
  const { dtype, exact = [], model, prompts, preprocessing, score } = description;
  const { frontMatter, text: card } = format.card?.(source) ?? { frontMatter: "", text: "" };
  const axes = prompts.axes.map(({ axis, labels }) => `${axis} (${labels.length})`).join(", ");
  const fitting = format.examples.filter(({ preset }) => preset === undefined || preset === model.preset);
  const { window } = preprocessing;
  const examples = fitting.map(({ title, language, code }) => {
    const text = typeof code === "string" ? code : code(window);
    return `## ${title}\n\n\`\`\`${language}\n${text.trim()}\n\`\`\`\n`;
  });
  return `${frontMatter}# Weights of a LIQE model, ${format.name}, ${dtype}

${model.preset ?? "CLIP of its own size"}: says how good a photograph is, ${score.low} to ${score.high}, higher is better.
Its prompts are "${prompts.template}", over ${axes}.
${exactNote(exact)}
| file            | holds                                                                          |
| --------------- | ------------------------------------------------------------------------------ |
| \`manifest.json\` | architecture, labels, preprocessing, what it was trained on, checksums         |
| \`golden.json\`   | scores of generated images and of photographs: try your own program            |
| \`LICENSE-NOTES\` | where the weights, the databases and the method come from                      |

Preprocessing, in full in \`manifest.json\`: RGB; an image whose shorter side has more than 768 pixels is reduced until
it has 768 (bilinear, antialiased); windows of ${window} pixels at a stride of 32, or of 48 where the longer side has 1024 or
more; 15 of them, at 0, 1, ... times floor(n / 15) of the n in row-major order, or all where there are fewer. Logits are
averaged over the windows, then one softmax over all prompts; quality is the mean level, counted from 1.

${card}${examples.join("\n")}
${GOLDEN_EXAMPLE}`;
}

function exactNote(exact: readonly string[]): string {
  return exact.length === 0 ? "" : `Float32, as their rounding would show: ${exact.join(", ")}.\n`;
}

/** Python code of `goldenImage`, as numpy has numbers of 32 bits; `pixelsSha256` in golden.json checks a port. */
const GOLDEN_EXAMPLE = `## The golden images

Image \`seed\` of \`golden.json\`, [rows, cols, 3] uint8:

\`\`\`python
import numpy as np

def hash32(seed, channel, row, col):
    u = lambda x, k: np.asarray(x, np.uint32) * np.uint32(k)
    h = u(seed, 0x9E3779B1) ^ u(channel, 0x85EBCA77) ^ u(row, 0xC2B2AE3D) ^ u(col, 0x27D4EB2F)
    h = (h ^ (h >> 16)) * np.uint32(0x85EBCA6B)
    h = (h ^ (h >> 13)) * np.uint32(0xC2B2AE35)
    return h ^ (h >> 16)

def golden_image(seed, rows, cols):
    row, col, c = np.ix_(np.arange(rows), np.arange(cols), np.arange(3))
    block, strength = (1 if seed % 2 else 8), 16 * (seed & 3)
    y, x = row - row % block, col - col % block
    corner = lambda i, j: (hash32(seed, c, y // 32 + i, x // 32 + j) & 255).astype(np.int64)
    upper = corner(0, 0) * (32 - x % 32) + corner(0, 1) * (x % 32)
    lower = corner(1, 0) * (32 - x % 32) + corner(1, 1) * (x % 32)
    color = (upper * (32 - y % 32) + lower * (y % 32)) >> 10
    noise = ((hash32(seed, c + 3, row, col) & 255).astype(np.int64) * strength) >> 8
    return np.clip(color + noise - strength // 2, 0, 255).astype(np.uint8)
\`\`\`
`;

/** Origins of the weights, the databases and the method, which decide about their use. */
function licenseNotes({ training }: Description): string {
  const databases = databasesOf(training);
  const trained =
    databases.length === 0
      ? "Nothing here says what these weights were trained on. Ask whoever gave them to you."
      : `These weights were trained on: ${databases.join(", ")}.\n` +
        "Image quality databases are usually released for research alone; whether weights that were trained on one may be\n" +
        "used for other ends is for its license to say. Its authors' page has it; manifest.json has the lists.";
  return `Notes on licenses. They are no license, and no advice from a lawyer.

${trained}

Where training began from OpenAI's CLIP weights (manifest.json, training.config.model.weights): OpenAI publishes CLIP's
code and weights under the MIT license, https://github.com/openai/CLIP, whose model card says which uses were not
intended.

The method is LIQE: Zhang, Zhai, Wei, Yang, Ma, "Blind Image Quality Assessment via Vision-Language Correspondence: A
Multitask Learning Perspective", CVPR 2023. Please cite it.

The program that wrote this folder, liqe-train, is under the MIT license. It lays no claim to the weights: those who
trained them decide about them, within what the above allows.
`;
}

function databasesOf(training: Description["training"]): string[] {
  const databases = training?.["databases"];
  if (!Array.isArray(databases)) return [];
  return databases.flatMap((database: unknown) =>
    typeof database === "object" && database !== null && "name" in database ? [String(database.name)] : [],
  );
}

import type { Description } from "./describeExport.js";
import type { ExportFormat } from "./exportFormat.js";

export const README_FILE = "README.md";

/** What the folder is and how each runtime uses it. */
export function exportReadme(format: ExportFormat, { dtype, model, prompts, score }: Description): string {
  const axes = prompts.axes.map(({ axis, labels }) => `${axis} (${labels.length})`).join(", ");
  const fitting = format.examples.filter(({ preset }) => preset === undefined || preset === model.preset);
  const examples = fitting.map(
    ({ title, language, code }) => `## ${title}\n\n\`\`\`${language}\n${code.trim()}\n\`\`\`\n`,
  );
  return `# Weights of a LIQE model, ${format.name}, ${dtype}

${model.preset ?? "CLIP of its own size"}: says how good a photograph is, ${score.low} to ${score.high}, higher is better.
Its prompts are "${prompts.template}", over ${axes}.

| file            | holds                                                                          |
| --------------- | ------------------------------------------------------------------------------ |
| \`manifest.json\` | architecture, labels, preprocessing, what it was trained on, checksums         |
| \`golden.json\`   | what the weights say of eight generated images: try your own program on them   |
| \`LICENSE-NOTES\` | where the weights, the databases and the method come from                      |

Preprocessing, in full in \`manifest.json\`: RGB; an image whose shorter side has more than 768 pixels is reduced until
it has 768 (bilinear, antialiased); windows of 224 pixels at a stride of 32, or of 48 where the longer side has 1024 or
more; 15 of them, at 0, 1, ... times floor(n / 15) of the n in row-major order, or all where there are fewer. Logits are
averaged over the windows, then one softmax over all prompts; quality is the mean level, counted from 1.

${examples.join("\n")}
${GOLDEN_EXAMPLE}`;
}

/** In Python, since numpy has numbers of 32 bits; `pixelsSha256` in golden.json says whether a port is right. */
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
    colour = (upper * (32 - y % 32) + lower * (y % 32)) >> 10
    noise = ((hash32(seed, c + 3, row, col) & 255).astype(np.int64) * strength) >> 8
    return np.clip(colour + noise - strength // 2, 0, 255).astype(np.uint8)
\`\`\`
`;

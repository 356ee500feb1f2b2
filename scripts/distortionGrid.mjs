/**
 * The pictures of docs/distortions.md: 25 types at 5 levels, and what training may add to them.
 *
 *     npm run build && node scripts/distortionGrid.mjs [--photo examples/photos/raccoon.jpg]
 *
 * Writes docs/distortions.webp and docs/degradations.webp and prints how far each level is from the photograph.
 */
import path from "node:path";
import { parseArgs } from "node:util";
import sharp from "sharp";
import { seededRandom } from "../dist/base/random.js";
import { ALWAYS_WORSE } from "../dist/data/augment/config.js";
import { degrade, drawComposition } from "../dist/data/augment/versions.js";
import { CAMERA_FAULTS, drawCameraPipeline } from "../dist/data/distortions/camera.js";
import { distort } from "../dist/data/distortions/distortions.js";
import { LEVELS, SYNTHETIC_TYPES } from "../dist/data/distortions/types.js";
import { ssimTo } from "../dist/data/synthesis/distortPhotograph.js";

/** A tile is cut from the middle of the distorted picture, at its own scale: details are what is to be seen... */
const TILE = { width: 144, height: 120 };
/** ...but of what happens here and there the whole picture is shown, reduced. */
const HERE_AND_THERE = ["noneccentricity patch", "color blocking"];
const NAME_WIDTH = 150;
const GAP = 4;
const QUALITY = 82;

const { values: options } = parseArgs({
  options: { photo: { type: "string", default: "examples/photos/raccoon.jpg" } },
});
const docs = new URL("../docs", import.meta.url).pathname;
const { data, info } = await sharp(options.photo)
  .resize(384, 288, { fit: "cover" })
  .raw()
  .toBuffer({ resolveWithObject: true });
const photo = { rows: info.height, cols: info.width, pixels: new Uint8Array(data) };
const similarity = ssimTo(photo);

await writeGrid(
  "distortions.webp",
  SYNTHETIC_TYPES.map((type) => ({
    name: type,
    at: (level) => distort(photo, { type, level }, seededRandom(1, type)),
  })),
);
await writeGrid("degradations.webp", [...cameras(), ...compositions(6)]);

/** One chain for each stage that can be at fault. */
function cameras() {
  const chains = new Map();
  for (let seed = 0; chains.size < 4; seed++) {
    const chain = drawCameraPipeline(seededRandom(seed));
    if (!chains.has(chain.leading)) chains.set(chain.leading, chain);
  }
  return [...chains.values()].map((chain) => ({
    name: `camera: ${CAMERA_FAULTS[chain.leading]}`,
    at: (level) => degrade(photo, { kind: "camera", chain }, { level, seed: 1 }),
  }));
}

function compositions(count) {
  return Array.from({ length: count }, (_, seed) => {
    const composition = drawComposition(ALWAYS_WORSE, seededRandom(seed));
    const parts = composition.parts.map(({ type, behind }) => (behind === 0 ? `${type.toUpperCase()}` : type));
    return {
      name: parts.join(" + "),
      at: (level) => degrade(photo, { kind: "composition", composition }, { level, seed: 1 }),
    };
  });
}

async function writeGrid(name, rows) {
  const tiles = [];
  const height = (row) => row * (TILE.height + GAP);
  for (const [row, { name: label, at }] of rows.entries()) {
    const pictures = [photo];
    for (const level of LEVELS) pictures.push(await at(level));
    console.log(
      label.padEnd(50),
      pictures
        .slice(1)
        .map((picture) => `${error(picture).toFixed(1)}/${similarity(picture).toFixed(2)}`)
        .join("  "),
    );
    tiles.push({ input: textTile(label), top: height(row) + 30, left: 4 });
    for (const [col, picture] of pictures.entries()) {
      tiles.push({
        input: await tileOf(picture, HERE_AND_THERE.includes(label)),
        top: height(row),
        left: NAME_WIDTH + col * (TILE.width + GAP),
      });
    }
  }
  const size = { width: NAME_WIDTH + (LEVELS.length + 1) * (TILE.width + GAP), height: height(rows.length) };
  const sheet = sharp({ create: { ...size, channels: 3, background: "white" } }).composite(tiles);
  const { size: bytes } = await sheet.webp({ quality: QUALITY, effort: 6 }).toFile(path.join(docs, name));
  console.log(`${name}: ${size.width} x ${size.height}, ${bytes} bytes`);
}

function tileOf({ rows, cols, pixels }, isWhole) {
  const picture = sharp(pixels, { raw: { width: cols, height: rows, channels: 3 } });
  if (isWhole)
    return picture
      .resize({ ...TILE, fit: "contain", background: "white" })
      .png()
      .toBuffer();
  const [left, top] = [Math.floor((cols - TILE.width) / 2), Math.floor((rows - TILE.height) / 2)];
  return picture
    .extract({ left, top, ...TILE })
    .png()
    .toBuffer();
}

/** The row's name, in Pango's markup, broken between words. */
function textTile(text) {
  return { text: { text, width: NAME_WIDTH - 12, dpi: 110, rgba: true } };
}

/** Mean absolute difference from the photograph, in levels of 255. */
function error({ pixels }) {
  return pixels.reduce((sum, sample, i) => sum + Math.abs(sample - photo.pixels[i]), 0) / pixels.length;
}

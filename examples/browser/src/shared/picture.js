/** Pictures as the browser decodes and draws them, in the page of `liqe serve` too. */

const THUMBNAIL_SIDE = 480;

/**
 * Decodes a file as the model was trained on them: no color profile applied, nothing multiplied by alpha.
 * @param {Blob} file
 * @returns {Promise<ImageBitmap>}
 */
export async function decode(file) {
  try {
    return await createImageBitmap(file, { colorSpaceConversion: "none", premultiplyAlpha: "none" });
  } catch {
    throw new Error("This file is no picture that your browser can read. Choose a JPEG, PNG or WebP file.");
  }
}

/**
 * The picture, small.
 * @param {ImageBitmap} image
 */
export function thumbnailOf(image) {
  const canvas = document.createElement("canvas");
  draw(image, canvas, THUMBNAIL_SIDE);
  return canvas;
}

/**
 * @param {ImageBitmap} image
 * @param {HTMLCanvasElement} canvas  gets the picture's shape
 * @param {number} longestSide
 */
export function draw(image, canvas, longestSide) {
  const scale = Math.min(1, longestSide / Math.max(image.width, image.height));
  canvas.width = Math.max(1, Math.round(image.width * scale));
  canvas.height = Math.max(1, Math.round(image.height * scale));
  const context = canvas.getContext("2d");
  if (context === null) throw new Error("This browser gives no canvas to draw on.");
  context.drawImage(image, 0, 0, canvas.width, canvas.height);
}

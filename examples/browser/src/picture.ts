import { element } from "./elements";

/** Of the canvas: sharp on any screen, and no more memory than that takes. */
const LONGEST_SIDE = 1600;
const THUMBNAIL_SIDE = 480;

/** Decodes a file as the model was trained on them: no color profile applied, nothing multiplied by alpha. */
export async function decode(file: Blob): Promise<ImageBitmap> {
  try {
    return await createImageBitmap(file, { colorSpaceConversion: "none", premultiplyAlpha: "none" });
  } catch {
    throw new Error("This file is no picture that your browser can read. Choose a JPEG, PNG or WebP file.");
  }
}

/** Draws the picture into the large view; both canvases get its shape. */
export function showPicture(image: ImageBitmap, name: string): void {
  const picture = element("picture", HTMLCanvasElement);
  draw(image, picture, LONGEST_SIDE);
  const map = element("map", HTMLCanvasElement);
  [map.width, map.height] = [picture.width, picture.height];
  picture.setAttribute("aria-label", name);
}

/** The picture, small. */
export function thumbnailOf(image: ImageBitmap): HTMLCanvasElement {
  const canvas = document.createElement("canvas");
  draw(image, canvas, THUMBNAIL_SIDE);
  return canvas;
}

function draw(image: ImageBitmap, canvas: HTMLCanvasElement, longestSide: number): void {
  const scale = Math.min(1, longestSide / Math.max(image.width, image.height));
  canvas.width = Math.max(1, Math.round(image.width * scale));
  canvas.height = Math.max(1, Math.round(image.height * scale));
  const context = canvas.getContext("2d");
  if (context === null) throw new Error("This browser gives no canvas to draw on.");
  context.drawImage(image, 0, 0, canvas.width, canvas.height);
}

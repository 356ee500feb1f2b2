import { element } from "./elements";

/** Of the canvas: sharp on any screen, and no more memory than that takes. */
const LONGEST_SIDE = 1600;

/** Decodes a file as the model was trained on them: no color profile applied, nothing multiplied by alpha. */
export async function decode(file: Blob): Promise<ImageBitmap> {
  try {
    return await createImageBitmap(file, { colorSpaceConversion: "none", premultiplyAlpha: "none" });
  } catch {
    throw new Error("This file is no picture that your browser can read. Choose a JPEG, PNG or WebP file.");
  }
}

/** Draws the picture; both canvases get its shape. */
export function showPicture(image: ImageBitmap, name: string): void {
  const scale = Math.min(1, LONGEST_SIDE / Math.max(image.width, image.height));
  const picture = element("picture", HTMLCanvasElement);
  for (const canvas of [picture, element("map", HTMLCanvasElement)]) {
    canvas.width = Math.round(image.width * scale);
    canvas.height = Math.round(image.height * scale);
  }
  picture.setAttribute("aria-label", name === "" ? "The picture" : name);
  const context = picture.getContext("2d");
  if (context === null) throw new Error("This browser gives no canvas to draw on.");
  context.drawImage(image, 0, 0, picture.width, picture.height);
}

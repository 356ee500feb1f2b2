import { element } from "./shared/elements.js";
import { draw } from "./shared/picture.js";

/** Of the canvas: sharp on any screen, and no more memory than that takes. */
const LONGEST_SIDE = 1600;

/** Draws the picture into the large view; both canvases get its shape. */
export function showPicture(image: ImageBitmap, name: string): void {
  const picture = element("picture", HTMLCanvasElement);
  draw(image, picture, LONGEST_SIDE);
  const map = element("map", HTMLCanvasElement);
  [map.width, map.height] = [picture.width, picture.height];
  picture.setAttribute("aria-label", name);
}

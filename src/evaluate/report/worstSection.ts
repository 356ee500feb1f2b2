import type { Prediction } from "../scoring/predictions.js";
import { fixed } from "../tables/benchmarkTable.js";
import type { Html } from "./html.js";
import { fileName, html } from "./html.js";
import type { Picture } from "./picture.js";
import { cropDots, cropList, pictureHtml } from "./picture.js";
import type { WorstImage } from "./worstImages.js";

/** A database's worst images, each a card: the picture with its windows, and what people and the model say. */
export function worstSection(worst: readonly WorstImage[], pictures: ReadonlyMap<string, Picture>): Html {
  if (worst.length === 0) return html`<p>No worst images: no image has a score.</p>`;
  const cards = worst.map((image) => card(image, pictures.get(image.prediction.file)));
  return html`<p>
      Farthest from what people said first. A dot is the middle of a window: dark where the model sees the lowest
      quality of this image, light where the highest.
    </p>
    <ul class="cards">
      ${cards}
    </ul>`;
}

function card({ prediction, onMos }: WorstImage, picture: Picture | undefined): Html {
  const { image, mos, quality, crops } = prediction;
  const mapped = onMos === null ? "" : `, which is ${fixed(onMos)} on their scale`;
  return html`<li class="card">
    <div class="picture">
      ${pictureHtml(picture, `the image ${image}`)}${picture?.ok === true ? cropDots(crops) : ""}
    </div>
    <p>${fileName(image)}</p>
    <p>People: <b>${fixed(mos)}</b>. Model: <b>${fixed(quality)}</b>${mapped}.</p>
    ${labelsText(prediction)}
    <p><small>${cropList(crops)}</small></p>
  </li>`;
}

function labelsText({ scene, distortion, sceneLabels, distortionLabel }: Prediction): Html {
  const parts = [
    ...(distortion === ""
      ? []
      : [`distortion ${distortion}${wasLabel(distortionLabel === null ? [] : [distortionLabel], distortion)}`]),
    ...(scene === "" ? [] : [`scene ${scene}${wasLabel(sceneLabels, scene)}`]),
  ];
  return html`<p>${parts.length === 0 ? "" : `Predicted ${parts.join(", ")}.`}</p>`;
}

function wasLabel(labels: readonly string[], predicted: string): string {
  if (labels.length === 0) return "";
  return labels.includes(predicted) ? " (right)" : ` (label: ${labels.join(" or ")})`;
}

/** The page that shows clusters of near-duplicates, each with its pictures and the subset that it fell into. */
import { FILES_AT_ONCE, mapConcurrent } from "../../base/concurrency.js";
import { plural } from "../../base/text.js";
import { encodeWebp } from "../../data/images/encode.js";
import { decodeImage } from "../../data/images/loadImage.js";
import type { SourceImages } from "../../data/lists/formats/readSource.js";
import { type Sample, SUBSETS } from "../../data/sample.js";
import type { DrawnSplit } from "../../data/split/drawSplits.js";
import { fileName, html, type Html, type Picture, pictureHtml } from "../../evaluate/report/html.js";
import { page } from "../../evaluate/report/page.js";

/** Clusters and pictures of each that are shown; the others are counted. */
const SHOWN_CLUSTERS = 200;
const SHOWN_PICTURES = 6;
/** Pixels of a picture's longest side, and its quality as WebP. */
const SIDE = 240;
const QUALITY = 75;

/** Pictures of the clusters' first images, by their files. */
export async function picturesOf(clusters: readonly (readonly Sample[])[]): Promise<ReadonlyMap<string, Picture>> {
  const shown = clusters.slice(0, SHOWN_CLUSTERS).flatMap((cluster) => cluster.slice(0, SHOWN_PICTURES));
  const pictures = await mapConcurrent(shown, FILES_AT_ONCE, async ({ file }): Promise<readonly [string, Picture]> => {
    return [file, { ok: true, webp: await encodeWebp(await decodeImage(file), SIDE, QUALITY) }];
  });
  return new Map(pictures);
}

interface ClustersData {
  /** Path that was split. */
  readonly place: string;
  /** Places of the images of each. */
  readonly clusters: readonly (readonly number[])[];
  readonly found: SourceImages;
  /** Split whose subsets are named. */
  readonly split: DrawnSplit | undefined;
  readonly pictures: ReadonlyMap<string, Picture>;
}

/** The page's text: the same for the same data. */
export function clustersPage({ place, clusters, found, split, pictures }: ClustersData): string {
  const images = clusters.reduce((sum, { length }) => sum + length, 0);
  const left = clusters.length - SHOWN_CLUSTERS;
  return page({
    title: "Clusters of near-duplicates",
    intro: html`<p>
        ${fileName(place)}: of ${found.samples.length} images ${images} are in ${plural(clusters.length, "cluster")}.
        Two images are in one cluster where they are nearly the same picture (recompressed, scaled, recolored, mildly
        blurred), or where others lead from one to the other so. A split keeps each cluster on one side.
      </p>
      ${left > 0 ? html`<p>The first ${SHOWN_CLUSTERS} are shown; ${left} are not.</p>` : html``}`,
    sections: [
      {
        id: "clusters",
        title: plural(clusters.length, "cluster"),
        content: html`${clusters.slice(0, SHOWN_CLUSTERS).map((cluster, i) => {
          const samples = cluster.flatMap((at) => found.samples[at] ?? []);
          const subset = SUBSETS.find((one) => cluster.some((at) => split?.[one].includes(at) === true));
          return clusterHtml(samples, { number: i + 1, subset: subset ?? "no list", pictures });
        })}`,
      },
    ],
  });
}

function clusterHtml(
  samples: readonly Sample[],
  { number, subset, pictures }: { readonly number: number; readonly subset: string; readonly pictures: ClustersData["pictures"] }, // prettier-ignore
): Html {
  const shown = samples.slice(0, SHOWN_PICTURES);
  const others = samples.slice(SHOWN_PICTURES);
  return html`<h3>Cluster ${number}: ${samples.length} images, in split 1 in ${subset}</h3>
    <ul class="cards">
      ${shown.map(
        ({ file, image, mos }) =>
          html`<li class="card">
            <div class="picture">${pictureHtml(pictures.get(file), `the image ${image}`)}</div>
            <p>${fileName(image)}<br />score ${mos}</p>
          </li>`,
      )}
    </ul>
    ${others.length === 0 ? html`` : html`<p>And ${others.map(({ image }) => html`${fileName(image)} `)}</p>`}`;
}

import { seededRandom } from "../../../src/base/random.js";
import { encodeWebp } from "../../../src/data/images/encode.js";
import type { ProtocolName } from "../../../src/evaluate/protocols.js";
import { picturedDots } from "../../../src/evaluate/report/databaseCharts.js";
import type { Picture } from "../../../src/evaluate/report/html.js";
import type { ReportData } from "../../../src/evaluate/report/reportPage.js";
import { trainingHistory } from "../../../src/evaluate/report/training.js";
import { extremeImages } from "../../../src/evaluate/report/extremeImages.js";
import type { EvaluatedDatabase } from "../../../src/evaluate/scoring/predictions.js";
import { LABELS, measuredResults, prediction } from "../support.js";

/** A name that would run, load and turn text around where it is not escaped. */
export const HOSTILE = `"><img src=http://127.0.0.1:9/x onerror=console.log(1)></style><script>console.log(2)</script>\u202egnp.exe`;

/** `count` images whose quality follows MOS with some noise; the first has a hostile name. */
export function evaluated(name: string, count: number, isLabelled: boolean): EvaluatedDatabase {
  const random = seededRandom(9, name);
  const predictions = Array.from({ length: count }, (_, i) => {
    const quality = 1 + 4 * random.uniform();
    const image = i === 0 ? HOSTILE : `${i}.png`;
    return prediction({
      database: name,
      image,
      file: `/${name}/${image}`,
      mos: 25 * (quality - 1) + (i === 0 ? 500 : 12 * random.normal()),
      quality,
      distortion: LABELS.distortions[random.integer(3)] ?? "",
      distortionLabel: isLabelled ? (LABELS.distortions[i % 3] ?? null) : null,
      sceneLabels: isLabelled ? [LABELS.scenes[i % 2] ?? ""] : [],
      crops: { rows: 256, cols: 320, window: 224, scores: [0, 32, 64, 96].map((left) => ({ top: 0, left, quality: quality + left / 200 })) }, // prettier-ignore
    });
  });
  const failed = isLabelled ? [] : [{ database: name, image: HOSTILE, error: `${HOSTILE}: cannot be decoded` }];
  return { name, split: isLabelled ? 1 : null, subset: "test", predictions, failed };
}

/** A run's metrics: `steps` steps, an epoch after every tenth, and what should be passed over. */
export function metricsText(steps: number): string {
  const common = { losses: { quality: 0.4, distortion: 2 }, weights: { quality: 1.2, distortion: 0.8 } };
  const lines = Array.from({ length: steps }, (_, step) => {
    const line = {
      kind: "step",
      epoch: 0,
      step,
      loss: step === 3 ? "NaN" : 3 - step / steps,
      ...common,
      learningRate: 1e-4,
    };
    const epoch = {
      ...line,
      kind: "epoch",
      epoch: Math.floor(step / 10),
      validation: { srcc: 0.5 + step / (2 * steps) },
    };
    return [line, ...(step % 10 === 9 ? [epoch] : [])].map((one) => JSON.stringify(one));
  });
  return [...lines.flat(), JSON.stringify({ kind: "skipped", step: 4 }), '{"kind":"step","ep'].join("\n");
}

/** The data of a report on a labelled database and a list without labels. */
export async function reportData(
  databases: readonly EvaluatedDatabase[],
  protocol: ProtocolName = "vqeg4",
): Promise<ReportData> {
  const options = { protocol, checkpoint: `runs/${HOSTILE}`, crops: 4, labels: LABELS, seed: 1, resamples: 50 };
  const results = measuredResults(databases, options);
  const reported = results.databases.map((of, i) => {
    const predictions = databases[i]?.predictions ?? [];
    return {
      results: of,
      predictions,
      extremes: extremeImages(of, predictions, 4),
      pictured: picturedDots(predictions, 20),
    };
  });
  const image = { rows: 256, cols: 320, pixels: new Uint8Array(256 * 320 * 3).fill(130) };
  const picture: Picture = { ok: true, webp: await encodeWebp(image, 160, 70) };
  const files = reported.flatMap(({ extremes: { best, worst } }) =>
    [...worst, ...best].map(({ prediction: { file } }) => file),
  );
  const pictures = new Map(
    files.map((file, i): [string, Picture] => [file, i === 1 ? { ok: false, reason: "it is gone" } : picture]),
  );
  const dots = reported.flatMap(({ pictured }) => pictured);
  const thumbnails = new Map(dots.map(({ file }): [string, Picture] => [file, picture]));
  return { results, databases: reported, pictures, thumbnails, training: trainingHistory(metricsText(40)) };
}

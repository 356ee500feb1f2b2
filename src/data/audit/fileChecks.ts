import type { ReportProgress } from "../../base/types.js";
import type { ImageOptions } from "../images/loadImage.js";
import { findUnusableImages } from "../images/probeImages.js";
import { findMissingImages, type ImageProblem, uniqueFiles } from "../images/requireImages.js";
import { pathProblem } from "../lists/imagePath.js";
import type { Sample } from "../sample.js";
import type { Finding, FindingKind } from "./findings.js";
import { type InspectedImage, inspectPixels } from "./inspectPixels.js";
import { findWrongExtensions } from "./wrongExtension.js";

/** How far images are looked at: not at all, whether they are there and have a header, or every pixel. */
export type Depth = "lists" | "headers" | "pixels";

export interface CheckedFiles {
  readonly findings: readonly Finding[];
  /** Those whose pixels were looked at and are in order. */
  readonly inspected: readonly Extract<InspectedImage, { ok: true }>[];
}

/** Looks at the files of a database's images; each step leaves out what an earlier one found wrong. */
export async function checkFiles(
  images: readonly Sample[],
  depth: Depth,
  options: ImageOptions,
  report?: ReportProgress,
): Promise<CheckedFiles> {
  if (depth === "lists") return { findings: [], inspected: [] };
  const inside = images.filter(({ image }) => pathProblem(image) === null); // others are not even looked for
  const missing = await findMissingImages(inside, report);
  const present = without(uniqueFiles(inside), missing);
  const unusable = await findUnusableImages(present, options, report);
  const usable = without(present, unusable);
  const renamed = await findWrongExtensions(usable);
  const inspected = depth === "pixels" ? await inspectPixels(usable, options, report) : [];
  const damaged = inspected.filter((image) => !image.ok);
  return {
    findings: [...missing.map(asFinding), ...unusable.map(asFinding), ...renamed, ...damaged.map(asDamage)],
    inspected: inspected.filter((image) => image.ok),
  };
}

function without(samples: readonly Sample[], problems: readonly ImageProblem[]): Sample[] {
  const files = new Set(problems.map(({ sample }) => sample.file));
  return samples.filter(({ file }) => !files.has(file));
}

function asFinding({ kind, sample, message }: ImageProblem): Finding {
  return findingAbout(sample, kind, message);
}

function asDamage({ sample, message }: Extract<InspectedImage, { ok: false }>): Finding {
  return findingAbout(sample, "damaged", message);
}

function findingAbout({ database, list, line, image }: Sample, kind: FindingKind, message: string): Finding {
  return { kind, severity: "error", database, list, line, image, message };
}

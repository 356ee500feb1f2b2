import { CheckpointError } from "../../base/errors.js";
import {
  mlpWidthOf,
  parameterShapes,
  RESNET_POSITIONS,
  type Shapes,
  SIGLIP_PROBE,
  VIT_POSITIONS,
} from "../parameters/shapes.js";
import {
  type Architecture,
  clipHeads,
  HEAD_WIDTH,
  type KnownKind,
  type ResNet,
  RESNET_REDUCTION,
  resNetOutput,
  type SiglipVision,
  type StemStage,
  type TowerName,
  usualKind,
  usualSiglipKind,
  type VisionTransformer,
} from "./architecture.js";

/**
 * Reads the architecture off a weight file's shapes, under OpenAI's names.
 * @param kind  what the shapes do not tell, as far as it is known; the rest is taken for the usual (`usualKind`)
 * @throws {CheckpointError} when the names are not those of a CLIP with such an image tower (with what they are
 * instead, where it is known), and when a parameter is missing or has a shape that does not fit the others
 */
export function inferArchitecture(shapes: Shapes, where: string, kind: KnownKind = {}): Architecture {
  const other = otherArchitecture(shapes);
  if (other !== null) {
    throw new CheckpointError(
      `${where}: this is ${other}; what can be used is CLIP with a vision transformer or a modified ResNet, of OpenAI's or open_clip's, ` +
        "and SigLIP or SigLIP 2 of fixed resolution, of transformers' or open_clip's",
    );
  }
  const architecture = readSizes({ shapes, where, kind });
  const differences = differencesFrom(parameterShapes(architecture), shapes);
  if (differences.length > 0) throw new CheckpointError(`${where}: ${someOf(differences)}; is the file whole?`);
  return architecture;
}

/** Differences from the shapes that are needed: missing, of another shape, too many; [] where there are none. */
export function differencesFrom(needed: Shapes, shapes: Shapes): string[] {
  const wrong = [...needed].flatMap(([name, shape]) => {
    const found = shapes.get(name);
    if (found === undefined) return [`${name} is missing`];
    return found.join() === shape.join() ? [] : [`${name} is [${found.join(", ")}], needed [${shape.join(", ")}]`];
  });
  return [...wrong, ...[...shapes.keys()].filter((name) => !needed.has(name)).map((name) => `${name} is unknown`)];
}

/** Names that one message lists. */
const LISTED = 5;

/** The first few items, and the number of the others. */
export function someOf(items: readonly string[]): string {
  const more = items.length - LISTED;
  return items.slice(0, LISTED).join(", ") + (more > 0 ? `, and ${more} more` : "");
}

/** Name of a known architecture that is not computed here; null where the names are those of one that is. */
function otherArchitecture(shapes: Shapes): string | null {
  const names = [...shapes.keys()];
  const has = (pattern: RegExp) => names.some((name) => pattern.test(name));
  if (shapes.has(SIGLIP_PROBE) && shapes.has("token_embedding.weight")) return otherSiglip(shapes);
  if (has(/^logit_bias$/)) return "a SigLIP with towers of other programs than transformers and open_clip";
  if (has(/^visual\.layer\d+\.\d+\./) && !shapes.has(RESNET_POSITIONS)) {
    return "a CLIP with a ResNet vision tower without CLIP's attention pooling";
  }
  if (has(/^visual\.trunk\./)) return "a CLIP with a vision tower of the timm library";
  if (has(/^text\.transformer\./)) return "a CLIP with a custom text tower of the open_clip library";
  const vision = has(/^visual\./);
  const text = has(/^token_embedding\.weight$/);
  if (vision && text) return null;
  if (vision) return "a vision tower alone (it has no token_embedding.weight)";
  if (text) return "a text tower alone (it has no visual.*)";
  if (names.length === 0)
    return "a file without tensors of an encoder (learned prompts: name their checkpoint's folder)";
  return `no CLIP known here (its ${names.length} tensors begin with ${someOf(names)})`;
}

/** Axes of the kernel of patches; NaFlex has a matrix in its place. */
const KERNEL_AXES = 4;

function otherSiglip(shapes: Shapes): string | null {
  const isFixed = shapes.get("visual.conv1.weight")?.length === KERNEL_AXES;
  return isFixed ? null : "a SigLIP 2 of variable resolution (NaFlex)";
}

type Source = { readonly shapes: Shapes; readonly where: string; readonly kind: KnownKind };

function isSiglip({ shapes }: Source): boolean {
  return shapes.has(SIGLIP_PROBE);
}

function readSizes(source: Source): Architecture {
  const size = (name: string, axis: number) => axisOf(source, name, axis);
  const isResNet = source.shapes.has(RESNET_POSITIONS);
  const text = {
    ...readTower(source, "text", size("positional_embedding", 1)),
    contextLength: size("positional_embedding", 0),
    vocabulary: size("token_embedding.weight", 0),
  };
  if (isSiglip(source)) {
    const vision = readSiglip(source);
    return { vision, text: { kind: "siglip", ...text }, embedding: vision.width };
  }
  return {
    vision: isResNet ? readResNet(source) : readVit(source),
    text,
    embedding: isResNet ? size("visual.attnpool.c_proj.weight", 0) : size("visual.proj", 1),
  };
}

function readSiglip(source: Source): SiglipVision {
  const [patches, width] = [axisOf(source, VIT_POSITIONS, 0), axisOf(source, VIT_POSITIONS, 1)];
  const patchSize = axisOf(source, "visual.conv1.weight", 3);
  const imageSize = gridSide(source, VIT_POSITIONS, patches) * patchSize;
  return { kind: "siglip", ...readTower(source, "vision", width), imageSize, patchSize };
}

function readVit(source: Source): VisionTransformer {
  const size = (axis: number) => axisOf(source, VIT_POSITIONS, axis);
  const stem = readStem(source);
  const patchSize =
    stem === "patch"
      ? axisOf(source, "visual.conv1.weight", 3)
      : stem.reduce((product, { stride }) => product * stride, 1);
  const imageSize = gridSide(source, VIT_POSITIONS, size(0) - 1) * patchSize;
  return { ...readTower(source, "vision", size(1)), imageSize, patchSize, stem };
}

/** Stages of a ResNet, `visual.layer1` and on. */
const STAGES = 4;

function readResNet(source: Source): ResNet {
  const { shapes, where, kind } = source;
  const width = axisOf(source, "visual.layer1.0.conv1.weight", 0);
  const stages = Array.from({ length: STAGES }, (_, i) => blockIndices(shapes, `visual.layer${i + 1}.`).size);
  const output = resNetOutput({ width, stages });
  const { heads = clipHeads(output) } = kind.vision ?? {};
  if (output % heads !== 0) {
    throw new CheckpointError(`${where}: its attention pooling of width ${output} does not split into ${heads} heads`);
  }
  const side = gridSide(source, RESNET_POSITIONS, axisOf(source, RESNET_POSITIONS, 0) - 1);
  return { kind: "resnet", imageSize: side * RESNET_REDUCTION, width, stages, heads };
}

function axisOf({ shapes, where }: Source, name: string, axis: number): number {
  const found = shapes.get(name)?.[axis];
  if (found !== undefined && found > 0) return found;
  throw new CheckpointError(`${where}: ${name} is missing, empty or has too few axes; is the file whole?`);
}

function readStem(source: Source): "patch" | StemStage[] {
  const stages = blockIndices(source.shapes, "visual.stem.");
  if (stages.size === 0) return "patch";
  return Array.from({ length: stages.size }, (_, i) => ({
    stride: axisOf(source, `visual.stem.${i}.weight`, 3),
    width: axisOf(source, `visual.stem.${i}.weight`, 0),
  }));
}

/** Names of a tower's blocks, up to their number. */
const BLOCKS: Readonly<Record<TowerName, string>> = {
  vision: "visual.transformer.resblocks.",
  text: "transformer.resblocks.",
};

function readTower({ shapes, where, kind }: Source, tower: TowerName, width: number) {
  const usual = shapes.has(SIGLIP_PROBE) ? usualSiglipKind(width) : usualKind(tower, width);
  const { heads = usual.heads, activation = usual.activation } = kind[tower] ?? {};
  if (kind[tower]?.heads === undefined && width > HEAD_WIDTH && width % HEAD_WIDTH !== 0) {
    throw new CheckpointError(
      `${where}: its ${tower} tower of width ${width} does not split into heads of ${HEAD_WIDTH}, as CLIP's do; ` +
        `say how many it has: model.architecture.${tower}.heads of a config${tower === "vision" ? ", --heads N" : ""}`,
    );
  }
  if (width % heads !== 0) {
    throw new CheckpointError(`${where}: its ${tower} tower of width ${width} does not split into ${heads} heads`);
  }
  const stack = { width, layers: blockIndices(shapes, BLOCKS[tower]).size };
  const hidden = shapes.get(`${BLOCKS[tower]}0.mlp.c_fc.weight`)?.[0] ?? mlpWidthOf(stack);
  return { ...stack, heads, activation, ...(hidden !== mlpWidthOf(stack) && { mlpWidth: hidden }) };
}

/** Distinct numbers after a prefix; counted, so that a name with a huge number costs nothing. */
function blockIndices(shapes: Shapes, prefix: string): ReadonlySet<string> {
  const names = [...shapes.keys()].filter((name) => name.startsWith(prefix));
  return new Set(names.map((name) => name.slice(prefix.length).split(".", 1)[0] ?? ""));
}

function gridSide(source: Source, name: string, patches: number): number {
  const side = Math.sqrt(patches);
  if (Number.isInteger(side) && side > 0) return side;
  const known = isSiglip(source) ? "; SigLIP has" : " beside the first; CLIP has";
  throw new CheckpointError(`${source.where}: ${name} has ${patches} positions${known} a square number of them`);
}

import type { Group } from "../engine/cluster/collective.js";
import type { NamedArrays } from "../model/parameters/parameters.js";
import type { Checkpoint } from "./checkpoint/checkpoint.js";
import { isOnBase } from "./config.js";
import type { RunPlan } from "./plan.js";

/** Start of a run: a checkpoint, or the weights that it begins with. */
interface Start {
  readonly plan: RunPlan;
  readonly checkpoint: Checkpoint | null;
}

type Shapes = readonly (readonly [name: string, shape: readonly number[]])[];

/** Arrays of a start, each null where there are none. */
interface Parts<T> {
  readonly weights: T;
  readonly raw: T | null;
  readonly optimizer: T | null;
}

/** Words of the first process before it sends arrays. */
interface Announcement {
  readonly parts: Parts<Shapes>;
  /** Of a checkpoint; null for a run that begins. */
  readonly saved: Pick<Checkpoint, "adapter" | "kind" | "state"> | null;
  readonly base: Awaited<ReturnType<RunPlan["initialBase"]>> | null;
}

/**
 * Start of a run that several processes train: what the first one has read, sent to all others, which need neither its
 * weight file nor its checkpoints. Those of the first are given as they are.
 */
export async function startTogether(group: Group, plan: RunPlan, checkpoint: Checkpoint | null): Promise<Start> {
  const isFirst = group.rank === 0;
  const own = await group.alongside(() => (isFirst ? announce(plan, checkpoint) : null));
  const [announced] = await group.gatherJson(own?.announcement ?? null);
  if (announced === undefined || announced === null) throw new Error("internal: startTogether: nothing was announced");
  const { parts: shapes, saved, base } = announced;
  const parts: Parts<NamedArrays> = own?.parts ?? {
    weights: room(shapes.weights),
    raw: shapes.raw && room(shapes.raw),
    optimizer: shapes.optimizer && room(shapes.optimizer),
  };
  await group.broadcast([parts.weights, parts.raw, parts.optimizer].flatMap(bytesOf));
  const begun = {
    ...plan,
    initialWeights: () => Promise.resolve(parts.weights),
    initialBase: base === null ? plan.initialBase : () => Promise.resolve(base),
  };
  return { plan: begun, checkpoint: isFirst || saved === null ? checkpoint : { ...saved, ...parts, seen: null } };
}

/**
 * Arrays of the first process, at all of them.
 * @param own  of the first one; null at the others
 */
export async function sendArrays(group: Group, own: NamedArrays | null): Promise<NamedArrays> {
  const [shapes] = await group.gatherJson(own && shapesOf(own));
  if (shapes === undefined || shapes === null) throw new Error("internal: sendArrays: rank 0 has none");
  const arrays = own ?? room(shapes);
  await group.broadcast(bytesOf(arrays));
  return arrays;
}

async function announce(plan: RunPlan, checkpoint: Checkpoint | null) {
  const weights = checkpoint?.weights ?? (await plan.initialWeights());
  const parts: Parts<NamedArrays> = { weights, raw: checkpoint?.raw ?? null, optimizer: checkpoint?.optimizer ?? null };
  const announcement: Announcement = {
    parts: {
      weights: shapesOf(parts.weights),
      raw: parts.raw && shapesOf(parts.raw),
      optimizer: parts.optimizer && shapesOf(parts.optimizer),
    },
    saved: checkpoint && { adapter: checkpoint.adapter, kind: checkpoint.kind, state: checkpoint.state },
    base: checkpoint === null && isOnBase(plan.config.train) ? await plan.initialBase() : null,
  };
  return { announcement, parts };
}

function shapesOf(arrays: NamedArrays): Shapes {
  return [...arrays].map(([name, { shape }]) => [name, shape]);
}

/** Arrays of zeros. */
function room(shapes: Shapes): NamedArrays {
  return new Map(
    shapes.map(([name, shape]) => [name, { shape, values: new Float32Array(shape.reduce((a, b) => a * b, 1)) }]),
  );
}

function bytesOf(arrays: NamedArrays | null): Uint8Array[] {
  return [...(arrays?.values() ?? [])].map(
    ({ values }) => new Uint8Array(values.buffer, values.byteOffset, values.byteLength),
  );
}

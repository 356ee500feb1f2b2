import * as tf from "../tf.js";

/** One recorded operation: what went in, what came out, what its gradient needs. */
type TapeNode = ReturnType<typeof tf.engine>["state"]["activeTape"][number];

/**
 * Operations that TensorFlow.js keeps the operands of although their gradients ask for nothing but the operands'
 * shapes, which a tensor still tells when its values are gone (tfjs-core 4.22, gradients/*_grad.ts).
 */
const NEEDS_SHAPES_ALONE: ReadonlySet<string> = new Set(["Add", "Concat", "Mean", "Reshape", "Slice", "Sub", "Sum"]);

/** The operations through which anything depends on some tensors; of all others it lets go as soon as they ran. */
class Tape extends Array<TapeNode> {
  readonly #dependent: Set<number>;

  constructor(xs: readonly tf.Tensor[]) {
    super();
    this.#dependent = new Set(xs.map(({ id }) => id));
  }

  override push(...nodes: TapeNode[]): number {
    for (const node of nodes) this.#record(node);
    return this.length;
  }

  #record(node: TapeNode): void {
    const inputs = Object.fromEntries(Object.entries(node.inputs).filter(([, { id }]) => this.#dependent.has(id)));
    const leadsNowhere = Object.keys(inputs).length === 0;
    if (leadsNowhere || NEEDS_SHAPES_ALONE.has(node.kernelName)) release([node]);
    if (leadsNowhere) return;
    for (const { id } of node.outputs) this.#dependent.add(id);
    super.push({ ...node, inputs });
  }
}

/** A differentiated function's result: the tensor to differentiate, and others to be handed on. */
export type WithAux<Aux extends tf.TensorContainer> = { readonly value: tf.Tensor; readonly aux: Aux };

type ValueAndGradients<Aux extends tf.TensorContainer> = WithAux<Aux> & {
  /** By each of the tensors asked for, given; undefined where the value does not depend on it. */
  readonly gradients: (tf.Tensor | undefined)[];
};

/**
 * Reverse-mode gradients by the engine's tape, as `tf.grads` computes them and with the same bits, in less memory:
 * `tf.grads` keeps every saved activation and every intermediate gradient until the whole backward pass is over. Here
 * each operation's activations and the gradient of its result are freed at once. Nothing is left where `f` throws.
 * @param f   gives the tensor to differentiate, alone or with `aux`, which is not; all its other tensors are freed
 * @param xs  tensors that `f` reads, variables or others; borrowed
 * @param dy  the gradient by the value, of its shape, borrowed; ones by default
 * @returns   value, aux and gradients, given
 */
export function valueAndGradients<Aux extends tf.TensorContainer = undefined>(
  f: () => tf.Tensor | WithAux<Aux>,
  xs: readonly tf.Tensor[],
  dy?: tf.Tensor,
): ValueAndGradients<Aux> {
  return tf.tidy(() => {
    const { value, aux, tape } = record(f, xs);
    try {
      return { value, aux, gradients: backward(pathsTo(value, tape), value, dy, xs) };
    } finally {
      release(tape); // all of it is free already, but for operations that led nowhere, or after an error
    }
  });
}

/** Runs `f` with a tape of its own. A tape that was there before is put back: its backward pass is under way. */
function record<Aux extends tf.TensorContainer>(
  f: () => tf.Tensor | WithAux<Aux>,
  xs: readonly tf.Tensor[],
): { readonly value: tf.Tensor; readonly aux: Aux; readonly tape: Tape } {
  const { state } = tf.engine();
  if (state.gradientDepth > 0)
    throw new Error("internal: valueAndGradients: inside the forward pass of another gradient");
  const before = state.activeTape;
  const tape = new Tape(xs);
  state.activeTape = tape;
  state.gradientDepth++;
  try {
    const result = tf.tidy(f);
    const { value, aux } = result instanceof tf.Tensor ? { value: result, aux: undefined as Aux } : result; // none was given
    return { value, aux, tape };
  } catch (error) {
    release(tape);
    throw error;
  } finally {
    state.gradientDepth--;
    state.activeTape = before;
  }
}

/** The recorded operations that `y` depends on, last one first. */
function pathsTo(y: tf.Tensor, tape: Tape): TapeNode[] {
  const leading = new Set([y.id]);
  return Array.from(tape)
    .reverse()
    .filter(({ inputs, outputs }) => {
      if (!outputs.some(({ id }) => leading.has(id))) return false;
      for (const { id } of Object.values(inputs)) leading.add(id);
      return true;
    });
}

/** Walks the operations, last one first, and frees behind itself. Runs inside the caller's tidy. */
function backward(
  nodes: readonly TapeNode[],
  y: tf.Tensor,
  dy: tf.Tensor | undefined,
  xs: readonly tf.Tensor[],
): (tf.Tensor | undefined)[] {
  const wanted = new Set(xs.map(({ id }) => id));
  const gradients = new Map([[y.id, dy === undefined ? tf.onesLike(y) : tf.clone(dy)]]);
  for (const node of nodes) {
    const dxs = inputGradients(
      node,
      node.outputs.map(({ id }) => gradients.get(id) ?? null),
    );
    for (const { id } of node.outputs) {
      if (wanted.has(id)) continue;
      gradients.get(id)?.dispose(); // complete and passed on: everything that read this output came later
      gradients.delete(id);
    }
    release([node]);
    for (const [name, { id }] of Object.entries(node.inputs)) addTo(gradients, id, need(dxs[name], node, name));
  }
  return xs.map(({ id }, i) => {
    const isRepeated = xs.findIndex((x) => x.id === id) < i;
    const gradient = gradients.get(id);
    return gradient !== undefined && isRepeated ? tf.clone(gradient) : gradient;
  });
}

/** By name of the input: tensors of their own, whatever the operation's gradient shares with its arguments. */
function inputGradients(node: TapeNode, dys: (tf.Tensor | null)[]): Record<string, tf.Tensor> {
  const { gradient, kernelName, inputs } = node;
  if (gradient === undefined)
    throw new Error(`internal: valueAndGradients: the engine has no gradient of ${kernelName}`);
  return tf.tidy(() => {
    const byName = gradient(dys as tf.Tensor[]); // the tape takes null for zeros, though its type does not say so
    return Object.fromEntries(
      Object.keys(inputs).map((name) => [name, tf.clone(need(byName[name], node, name)())]), // called for these alone
    );
  });
}

function addTo(gradients: Map<number, tf.Tensor>, id: number, dx: tf.Tensor): void {
  const before = gradients.get(id);
  gradients.set(id, before === undefined ? dx : tf.add(before, dx));
  if (before === undefined) return;
  before.dispose();
  dx.dispose();
}

function release(nodes: readonly TapeNode[]): void {
  for (const { saved } of nodes) for (const tensor of saved ?? []) tensor.dispose();
}

function need<T>(found: T | undefined, { kernelName }: TapeNode, input: string): T {
  if (found === undefined) throw new Error(`internal: valueAndGradients: ${kernelName} has no gradient by "${input}"`);
  return found;
}

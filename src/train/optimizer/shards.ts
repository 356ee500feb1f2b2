import { getOrThrow } from "../../base/collections.js";
import type { Moments } from "../../engine/adam.js";
import { type Group, LARGE } from "../../engine/cluster/collective.js";
import { execute, nativeBackend } from "../../engine/compile/binding.js";
import * as tf from "../../engine/tf.js";

/** Weights by name, on the device. */
interface WeightStore {
  /** Given. */
  readonly read: (name: string) => tf.Tensor;
  /** The tensor is borrowed. */
  readonly assign: (name: string, value: tf.Tensor) => void;
}

/**
 * Shares of an optimizer's state among processes (ZeRO, stage 1: S. Rajbhandari et al., SC 2020, arXiv 1910.02054): each
 * keeps the moments of its parameters and updates those alone; then every process gets the updated ones. Gradients are
 * summed over the processes before, so that a clipped norm is that of all. All of it passes bits on and changes none.
 */
export class OptimizerShards {
  readonly #owners: ReadonlyMap<string, number>;

  constructor(
    private readonly group: Group,
    private readonly sizes: ReadonlyMap<string, number>,
  ) {
    this.#owners = ownersOf(sizes, group.size);
  }

  /** True of a parameter whose moments this process keeps. */
  readonly isOwn = (name: string): boolean => this.#owners.get(name) === this.group.rank;

  /** Entries of the parameters that this process updates. */
  own<T>(ofAll: ReadonlyMap<string, T>): Map<string, T> {
    return new Map([...ofAll].filter(([name]) => this.isOwn(name)));
  }

  /** Passes each process's updated weights to all others. */
  async exchange({ read, assign }: WeightStore): Promise<void> {
    for (const names of this.#messages()) {
      const parts = tf.tidy(() =>
        names.map((name) => (this.isOwn(name) ? bitsOf(read(name)) : this.#zeros(name, read))),
      );
      try {
        const sums = await this.group.sumAll(parts);
        tf.tidy(() => {
          names.forEach((name, i) => {
            assign(name, fromBits(sums[i] as tf.Tensor)); // one a name
          });
        });
        tf.dispose(sums);
      } finally {
        tf.dispose(parts);
      }
    }
  }

  /**
   * Moments of all parameters, at the first process; none at the others, which call this as well.
   * @param own  of this process's parameters, borrowed
   */
  async gather(own: ReadonlyMap<string, Moments>): Promise<Map<string, Moments>> {
    const gathered = new Map<string, Moments>();
    for (const [name, size] of this.sizes) {
      const moments = this.isOwn(name) ? getOrThrow(own, name, "optimizer shards") : null;
      const first = await this.#passed(moments?.first ?? null, size);
      const second = await this.#passed(moments?.second ?? null, size);
      if (this.group.rank === 0) gathered.set(name, { first, second });
    }
    return gathered;
  }

  async #passed(own: Float32Array | null, size: number): Promise<Float32Array> {
    const bits = own === null ? new Int32Array(size) : new Int32Array(own.buffer, own.byteOffset, size);
    const part = tf.tensor1d(bits, "int32");
    try {
      const sum = await this.group.sum(part);
      const passed = sum.dataSync<"int32">().slice();
      sum.dispose();
      return new Float32Array(passed.buffer);
    } finally {
      part.dispose();
    }
  }

  #zeros(name: string, read: WeightStore["read"]): tf.Tensor {
    return tf.zeros(read(name).shape, "int32");
  }

  /** Names by message: each large parameter has its own, all small ones are in the last. */
  #messages(): string[][] {
    const names = [...this.sizes.keys()];
    const isLarge = (name: string) => (this.sizes.get(name) ?? 0) >= LARGE;
    const small = names.filter((name) => !isLarge(name));
    return [...names.filter(isLarge).map((name) => [name]), ...(small.length === 0 ? [] : [small])];
  }
}

/** Process of each parameter: the largest first, each to the process that has least. */
export function ownersOf(sizes: ReadonlyMap<string, number>, processes: number): Map<string, number> {
  const loads = Array.from({ length: processes }, () => 0);
  const sorted = [...sizes].sort(([a, x], [b, y]) => y - x || (a < b ? -1 : 1));
  return new Map(
    sorted.map(([name, size]) => {
      const rank = loads.indexOf(loads.reduce((least, load) => Math.min(least, load)));
      loads[rank] = (loads[rank] ?? 0) + size;
      return [name, rank];
    }),
  );
}

/** Bits of float32 values as int32, given: a sum with zeros changes none of them, where −0 + 0 as floats is 0. */
function bitsOf(x: tf.Tensor): tf.Tensor {
  return bitcast(x, "int32");
}

/** Float32 values of bits, given. */
function fromBits(x: tf.Tensor): tf.Tensor {
  return bitcast(x, "float32");
}

function bitcast(x: tf.Tensor, to: "int32" | "float32"): tf.Tensor {
  const { TF_ATTR_TYPE, TF_FLOAT, TF_INT32 } = nativeBackend().binding;
  const [own, other] = to === "int32" ? [TF_FLOAT, TF_INT32] : [TF_INT32, TF_FLOAT];
  const attributes = [
    { name: "T", type: TF_ATTR_TYPE, value: own },
    { name: "type", type: TF_ATTR_TYPE, value: other },
  ];
  const [cast] = execute({ name: "Bitcast", attributes, inputs: [x], outputs: 1, shape: x.shape });
  if (cast === undefined) throw new Error("internal: bitcast: no result");
  return cast;
}

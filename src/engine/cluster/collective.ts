import { setTimeout as sleep } from "node:timers/promises";
import { EngineError, PeerLostError } from "../../base/errors.js";
import { reasonOf } from "../../base/text.js";
import { nativeBackend, type OpAttribute } from "../compile/binding.js";
import * as tf from "../tf.js";
import { answers, requireFree } from "./ports.js";
import { serverDef } from "./serverDef.js";

/** True once this process has joined others: its server runs until it ends. */
let hasJoined = false;

/** Processes that train one run together, and this one among them. */
export interface ClusterOptions {
  /** "host:port" of every process, by rank. */
  readonly addresses: readonly string[];
  /** Number of this process among them, from 0. */
  readonly rank: number;
  /** Seconds without an answer after which a peer counts as lost. */
  readonly timeoutSeconds: number;
  /** True where addresses outside private networks are allowed: the runtime neither asks who connects nor encrypts. */
  readonly isPublic: boolean;
}

/** Calls that processes which train together make with each other. */
export type Group = Pick<
  Collective,
  "rank" | "size" | "seconds" | "sum" | "sumAll" | "gatherJson" | "broadcast" | "alongside"
>;

/** Values of a tensor that is passed on its own; smaller ones are passed together. */
export const LARGE = 65_536;
/** Bytes of one message of `broadcast`; two sizes, as the runtime remembers every size that it met. */
const MESSAGE_BYTES = [4096, 2 ** 22] as const;
/** Time that a process stays when all is done: the last message may still be on its way to a peer. */
const LINGER_MS = 500;
/** Longest time in which a process that works says nothing. */
const MOST_SILENCE_MS = 5000;
/** Milliseconds between two attempts to reach a peer. */
const RETRY_MS = 200;

/**
 * Processes that sum tensors together, by TensorFlow's collective runtime (CollectiveReduceV2, in a ring). All of them make
 * the same calls, with tensors of the same shapes, in the same order; each gets the same bits. There is one a process, and
 * it never ends: after a lost peer TensorFlow's collectives are of no more use, and the process has to be started again.
 */
export class Collective {
  readonly rank: number;
  readonly size: number;
  /** Seconds spent in calls so far. */
  seconds = 0;
  readonly #keys = new Map<string, number>();

  private constructor(private readonly options: ClusterOptions) {
    this.rank = options.rank;
    this.size = options.addresses.length;
  }

  /**
   * Joins the processes of a cluster, and waits for all of them. The engine has to be started; tensors stay usable.
   * @throws {EngineError}   where the engine has no collectives
   * @throws {ConfigError}   where the port is in use
   * @throws {PeerLostError} where a peer does not answer in time
   */
  static async join(options: ClusterOptions): Promise<Collective> {
    const { addresses, rank } = options;
    const { binding } = tf.backend() as { readonly binding?: Partial<ReturnType<typeof nativeBackend>["binding"]> };
    if (binding?.enableCollectives === undefined) {
      throw new EngineError(
        "--cluster: several processes train together by TensorFlow's runtime, which this engine has not; " +
          "`liqe engine install` provides it",
      );
    }
    if (hasJoined) throw new EngineError("--cluster: this process has joined one already; start a new process");
    await requireFree(addresses[rank] ?? "");
    binding.enableCollectives(serverDef(addresses, rank));
    hasJoined = true;
    const group = new Collective(options);
    await Promise.all(addresses.map((address, peer) => group.#reach(address, peer)));
    await group.barrier();
    return group;
  }

  /** Sum of a float32 tensor over the processes, given; `x` is borrowed. @throws {PeerLostError} */
  async sum<T extends tf.Tensor>(x: T): Promise<T> {
    const startedMs = performance.now();
    const backend = nativeBackend();
    const { binding } = backend;
    const key = this.#keyOf(`${x.dtype} ${x.size}`);
    // Of a fixed shape for each key: the runtime refuses others. In a tidy nothing could be waited for
    const flat = tf.reshape(x, [x.size]);
    const numbers = [this.size, 1, key].map((value) => tf.scalar(value, "int32"));
    try {
      const attributes: OpAttribute[] = [
        { name: "T", type: binding.TF_ATTR_TYPE, value: x.dtype === "int32" ? binding.TF_INT32 : binding.TF_FLOAT },
        { name: "merge_op", type: binding.TF_ATTR_STRING, value: "Add" },
        { name: "final_op", type: binding.TF_ATTR_STRING, value: "Id" },
        { name: "communication_hint", type: binding.TF_ATTR_STRING, value: "auto" },
        // 0, no limit: TensorFlow counts each limit on a thread of its own, which stays for its whole length
        { name: "timeout_seconds", type: binding.TF_ATTR_FLOAT, value: 0 },
        { name: "Nordering_token", type: binding.TF_ATTR_INT, value: 0 },
      ];
      const ids = backend.getInputTensorIds([flat, ...numbers]);
      const infos = await this.#inTime(binding.executeAsync("CollectiveReduceV2", attributes, ids, 1));
      const [sum] = infos.map((info) => backend.createOutputTensor(info));
      if (sum === undefined) throw new Error("internal: Collective.sum: no result");
      const shaped = tf.reshape(sum, x.shape) as T;
      sum.dispose();
      return shaped;
    } finally {
      tf.dispose([flat, ...numbers]);
      this.seconds += (performance.now() - startedMs) / 1000;
    }
  }

  /** Sums of several float32 tensors, given; the small ones travel together. `tensors` are borrowed. */
  async sumAll(tensors: readonly tf.Tensor[]): Promise<tf.Tensor[]> {
    const sums: tf.Tensor[] = [];
    try {
      const small = tensors.filter(({ size }) => size < LARGE);
      const parts = small.length === 0 ? [] : await this.#sumTogether(small);
      for (const tensor of tensors) {
        sums.push(tensor.size < LARGE ? (parts.shift() ?? tensor) : await this.sum(tensor));
      }
      return sums;
    } catch (error) {
      tf.dispose(sums);
      throw error;
    }
  }

  /** Copies rank 0's bytes into those of every process, which are as many. @param parts  read at rank 0, written elsewhere */
  async broadcast(parts: readonly Uint8Array[]): Promise<void> {
    await this.#pass(0, parts);
  }

  /** Bytes of every process, by rank, at each of them. */
  async gather(bytes: Uint8Array): Promise<Uint8Array[]> {
    const all: Uint8Array[] = [];
    for (let rank = 0; rank < this.size; rank++) {
      const isOwn = this.rank === rank;
      const [length = 0] = await this.#sumNumbers(Int32Array.of(isOwn ? bytes.length : 0));
      const passed = isOwn ? bytes : new Uint8Array(length);
      await this.#pass(rank, [passed]);
      all.push(passed);
    }
    return all;
  }

  /** Values of every process, by rank, as JSON carries them. */
  async gatherJson<T>(value: T): Promise<T[]> {
    const all = await this.gather(new TextEncoder().encode(JSON.stringify(value)));
    return all.map((bytes) => JSON.parse(new TextDecoder().decode(bytes)) as T); // as all of them gave it
  }

  /**
   * Result of what this process does, while the others do their own, or nothing: whoever is done waits for all, and nobody
   * counts as lost who is at work, however long. What fails is thrown when all are done.
   */
  async alongside<T>(work: () => Promise<T> | T): Promise<T> {
    const state = { isBusy: true };
    const working = Promise.resolve()
      .then(work)
      .finally(() => (state.isBusy = false));
    const ended = working.then(
      () => undefined,
      () => undefined, // thrown below
    );
    const pauseMs = Math.min(MOST_SILENCE_MS, (1000 * this.options.timeoutSeconds) / 3);
    for (let busy = 1; busy > 0;) {
      if (state.isBusy) await Promise.race([ended, sleep(pauseMs, undefined, { ref: false })]);
      [busy = 0] = await this.#sumNumbers(Int32Array.of(state.isBusy ? 1 : 0));
    }
    return working;
  }

  /** Waits until every process is here. @throws {PeerLostError} */
  async barrier(): Promise<void> {
    await this.#sumNumbers(Int32Array.of(1));
  }

  /** Waits for all, and until nothing is on its way any more. */
  async leave(): Promise<void> {
    await this.barrier();
    await sleep(LINGER_MS);
  }

  /** Passes the bytes of one process to the others, in messages that run through all parts. */
  async #pass(root: number, parts: readonly Uint8Array[]): Promise<void> {
    const isOwn = this.rank === root;
    const total = parts.reduce((sum, { length }) => sum + length, 0);
    const [small, large] = MESSAGE_BYTES;
    const message = new Uint8Array(total > small ? large : small);
    const pieces = piecesOf(parts, message.length);
    for (const piece of pieces) {
      if (isOwn) for (const { at, bytes } of piece) message.set(bytes, at);
      const sent = await this.#sumNumbers(isOwn ? new Int32Array(message.buffer) : new Int32Array(message.length / 4));
      const read = new Uint8Array(sent.buffer);
      if (!isOwn) for (const { at, bytes } of piece) bytes.set(read.subarray(at, at + bytes.length));
    }
  }

  async #sumNumbers(numbers: Int32Array): Promise<Int32Array> {
    const tensor = tf.tensor1d(numbers, "int32");
    try {
      const sum = await this.sum(tensor);
      const values = sum.dataSync<"int32">().slice();
      sum.dispose();
      return values;
    } finally {
      tensor.dispose();
    }
  }

  async #sumTogether(tensors: readonly tf.Tensor[]): Promise<tf.Tensor[]> {
    const together = tf.tidy(() => tf.concat1d(tensors.map((tensor) => tf.reshape<tf.Rank.R1>(tensor, [-1]))));
    try {
      const sum = await this.sum(together);
      const parts = tf.tidy(() => {
        const flat = tf.split(sum, tensors.map(({ size }) => size)); // prettier-ignore
        return flat.map((part, i) => tf.reshape(part, tensors[i]?.shape ?? []));
      });
      sum.dispose();
      return parts;
    } finally {
      together.dispose();
    }
  }

  /** Number by which all processes know tensors of a size: they meet the sizes in the same order. */
  #keyOf(size: string): number {
    const known = this.#keys.get(size) ?? this.#keys.size + 1;
    this.#keys.set(size, known);
    return known;
  }

  /** Result of a call. @throws {PeerLostError} where it fails, or does not come in time */
  async #inTime<T>(call: Promise<T>): Promise<T> {
    const { timeoutSeconds, rank, addresses } = this.options;
    const peers = addresses.flatMap((address, peer) => (peer === rank ? [] : [`rank ${peer} (${address})`]));
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<never>((_, reject) => {
      timer = setTimeout(() => {
        const silent = `${peers.join(" or ")} has not answered for ${timeoutSeconds} s (--cluster-timeout)`;
        reject(new PeerLostError(lost(rank, silent)));
      }, timeoutSeconds * 1000);
    });
    try {
      return await Promise.race([call, late]);
    } catch (error) {
      throw error instanceof PeerLostError ? error : new PeerLostError(lost(rank, firstLine(error)), { cause: error });
    } finally {
      clearTimeout(timer);
    }
  }

  /** Waits until a peer's port is open. */
  async #reach(address: string, peer: number): Promise<void> {
    const { rank, timeoutSeconds } = this.options;
    const end = performance.now() + timeoutSeconds * 1000;
    for (;;) {
      const problem = await answers(address);
      if (problem === null) return;
      if (performance.now() > end) {
        const where = `rank ${peer}, ${address}, did not answer for ${timeoutSeconds} s (${problem})`;
        throw new PeerLostError(`rank ${rank}: ${where}; start its process, and see that address and port are right`);
      }
      await sleep(RETRY_MS);
    }
  }
}

/** Views of consecutive bytes of all parts, message by message, each with its place in its message. */
function* piecesOf(parts: readonly Uint8Array[], size: number): Generator<{ at: number; bytes: Uint8Array }[]> {
  let piece: { at: number; bytes: Uint8Array }[] = [];
  let at = 0;
  for (const part of parts) {
    for (let start = 0; start < part.length;) {
      const bytes = part.subarray(start, start + size - at);
      piece.push({ at, bytes });
      start += bytes.length;
      at += bytes.length;
      if (at < size) continue;
      yield piece;
      piece = [];
      at = 0;
    }
  }
  if (piece.length > 0) yield piece;
}

function lost(rank: number, reason: string): string {
  return `rank ${rank}: ${reason}; start all ranks again, and they go on from the last checkpoint`;
}

function firstLine(error: unknown): string {
  return reasonOf(error).split("\n", 1)[0] ?? "";
}

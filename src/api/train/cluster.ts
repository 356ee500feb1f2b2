import { createHash } from "node:crypto";
import { existsSync, statSync } from "node:fs";
import { lookup } from "node:dns/promises";
import { BlockList, isIP } from "node:net";
import {
  CheckpointError,
  ConfigError,
  DataError,
  DiskError,
  EngineError,
  NoSpaceError,
  PeerLostError,
} from "../../base/errors.js";
import { sha256OfFile } from "../../base/files.js";
import { SUBSETS, type Database, unscoredKind } from "../../data/sample.js";
import { Collective, type ClusterOptions, type Group } from "../../engine/cluster/collective.js";
import { splitAddress } from "../../engine/cluster/ports.js";
import type { RunConfig } from "../../train/runConfig.js";

/** Joins the processes of a cluster; the engine has to be started. @throws {ConfigError} where an address is refused */
export async function joinCluster(cluster: ClusterOptions): Promise<Collective> {
  const check = async () => {
    if (!cluster.isPublic) for (const address of cluster.addresses) await requirePrivate(address);
  };
  await check();
  const group = await Collective.join(cluster);
  await check(); // by now every name is known
  return group;
}

const PRIVATE = new BlockList();
for (const [net, bits] of [
  ["127.0.0.0", 8],
  ["10.0.0.0", 8],
  ["172.16.0.0", 12],
  ["192.168.0.0", 16],
  ["169.254.0.0", 16],
] as const) {
  PRIVATE.addSubnet(net, bits, "ipv4");
}
PRIVATE.addAddress("::1", "ipv6");
PRIVATE.addSubnet("fc00::", 7, "ipv6");
PRIVATE.addSubnet("fe80::", 10, "ipv6");

/** @throws {ConfigError} where an address is neither of this machine nor of a private network */
async function requirePrivate(address: string): Promise<void> {
  const { host } = splitAddress(address);
  const found = isIP(host) > 0 ? host : await addressOf(host);
  if (found === null || PRIVATE.check(found, isIP(found) === 6 ? "ipv6" : "ipv4")) return;
  throw new ConfigError(
    `--cluster: ${address} is ${found}, an address of no private network: TensorFlow's runtime neither asks who connects ` +
      "nor encrypts. Use a private network, or --cluster-public where a firewall or a tunnel protects it",
  );
}

async function addressOf(host: string): Promise<string | null> {
  try {
    return (await lookup(host)).address;
  } catch {
    return null; // such as a pod that does not run yet
  }
}

const CLASSES = [ConfigError, DataError, CheckpointError, EngineError, DiskError, NoSpaceError, PeerLostError];

/**
 * Result of `work`, which every process does; where it fails at one of them, all fail, with its reason.
 * @throws {LiqeError} of the same class everywhere
 */
export async function together<T>(group: Group | null, work: () => Promise<T> | T): Promise<T> {
  if (group === null) return work();
  const outcome = await group.alongside(async (): Promise<{ readonly value: T } | { readonly error: unknown }> => {
    try {
      return { value: await work() };
    } catch (error) {
      return { error };
    }
  });
  const own = "error" in outcome ? problemOf(outcome.error) : null;
  const problems = await group.gatherJson(own);
  const rank = problems.findIndex((problem) => problem !== null);
  if ("error" in outcome) throw outcome.error;
  const problem = problems[rank];
  if (problem === null || problem === undefined) return outcome.value;
  const Class = CLASSES[problem.kind] ?? PeerLostError;
  throw new Class(`rank ${rank}: ${problem.message}`);
}

function problemOf(error: unknown): { readonly kind: number; readonly message: string } {
  return {
    kind: CLASSES.findIndex((one) => error instanceof one),
    message: error instanceof Error ? error.message : String(error),
  };
}

/** @throws {ConfigError} where a run's data or steps cannot be shared out among processes */
export function requireShareable({ augment, data, train }: RunConfig, processes: number): void {
  const images = data.databases.reduce((sum, { imagesPerStep = 0 }) => sum + imagesPerStep, 0);
  const why = "with --cluster: each process reads its own images of a step";
  if (train.tune === "probe")
    throw new ConfigError("train.tune: probe: is trained by one process, in seconds an epoch");
  for (const database of data.databases) {
    const kind = unscoredKind(database);
    if (kind === null) continue;
    throw new ConfigError(
      `data.databases: ${database.name}: ${kind} are not trained on by several processes; train by one`,
    );
  }
  if (augment.contents > 0) throw new ConfigError(`augment.contents: cannot be used ${why}; set it to 0`);
  if (data.onUnreadable === "replace")
    throw new ConfigError(`data.onUnreadable: replace: cannot be used ${why}; use stop`);
  if (images > 0 && images < processes) {
    throw new ConfigError(`--cluster: ${processes} processes cannot share steps of ${images} images; start fewer`);
  }
}

/**
 * @param weights  file that this process was given to begin with; null where the run has a checkpoint
 * @throws {DataError} {CheckpointError} where a process has other lists than the first one, or another weight file
 */
export async function requireSameData(
  group: Group,
  databases: readonly Database[],
  weights: string | null,
): Promise<void> {
  const own = await together(group, async () => {
    return { lists: databases.map(digestOf), weights: weights === null ? null : await weightsDigest(weights) };
  });
  const [first = own] = await group.gatherJson(own);
  await together(group, () => {
    for (const [i, { name, digest }] of own.lists.entries()) {
      if (first.lists[i]?.digest === digest) continue;
      throw new DataError(`${name}: its lists are not those of rank 0; give all processes the same ones`);
    }
    const isOther = own.weights !== null && first.weights !== null && own.weights !== first.weights;
    if (isOther)
      throw new CheckpointError(`${weights ?? ""}: is another file than that of rank 0; rank 0 sends its weights`);
  });
}

function digestOf(database: Database): { readonly name: string; readonly digest: string } {
  const hash = createHash("sha256");
  for (const subset of SUBSETS) {
    for (const { image, mos, mosStd, scenes, distortion } of database[subset]) {
      hash.update(JSON.stringify([subset, image, mos, mosStd, scenes, distortion]));
    }
  }
  return { name: database.name, digest: hash.digest("hex") };
}

/** Digest of a weight file; null where there is none here, which only the first process needs. */
async function weightsDigest(weights: string): Promise<string | null> {
  return existsSync(weights) && statSync(weights).isFile() ? sha256OfFile(weights) : null;
}

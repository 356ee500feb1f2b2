/** Processes that train together, from the command line or from the environment that a scheduler gives. */
import { ConfigError } from "../base/errors.js";

/** Options of `liqe train` that name them. */
interface ClusterFlags {
  readonly cluster: string | undefined;
  readonly rank: number | undefined;
  readonly clusterTimeout: number | undefined;
  readonly clusterPublic: boolean;
}

/** Seconds without an answer after which a peer counts as lost. */
const TIMEOUT_SECONDS = 60;
/** Port of the first process of a host, where Slurm gives hosts alone. */
const SLURM_PORT = 8470;

type Environment = Readonly<Record<string, string | undefined>>;

/**
 * The processes of a run and which of them this one is; undefined where it trains alone.
 * @throws {ConfigError} where they, or the rank, are not told or make no sense
 */
export function clusterOf({ cluster, rank, clusterTimeout, clusterPublic }: ClusterFlags, environment: Environment) {
  const told = cluster === undefined ? fromTfConfig(environment) : named(cluster, rank, environment);
  const isRankTold = rank !== undefined && (cluster === undefined || cluster === "slurm");
  if (isRankTold || (told === null && (clusterTimeout !== undefined || clusterPublic))) {
    const what = isRankTold ? "--rank" : clusterPublic ? "--cluster-public" : "--cluster-timeout";
    throw new ConfigError(`${what}: goes with processes by address: --cluster HOST:PORT,HOST:PORT`);
  }
  if (told === null) return undefined;
  const { addresses } = told;
  for (const address of addresses) requireAddress(address);
  const twice = addresses.find((address, i) => addresses.indexOf(address) < i);
  if (twice !== undefined) throw new ConfigError(`--cluster: ${twice} is named twice; each process has its own`);
  if (told.rank >= addresses.length) {
    throw new ConfigError(`--rank: ${told.rank} is none of the ${addresses.length} processes; ranks begin with 0`);
  }
  return { ...told, timeoutSeconds: clusterTimeout ?? TIMEOUT_SECONDS, isPublic: clusterPublic };
}

interface Told {
  readonly addresses: readonly string[];
  readonly rank: number;
}

function named(cluster: string, rank: number | undefined, environment: Environment): Told {
  if (cluster === "slurm") return fromSlurm(environment);
  const own = rank ?? numberOf(environment["JOB_COMPLETION_INDEX"]) ?? numberOf(environment["SLURM_PROCID"]);
  if (own !== null) return { addresses: cluster.split(","), rank: own };
  throw new ConfigError(
    "--rank: which process of the cluster is this one? Give its number, from 0; neither JOB_COMPLETION_INDEX " +
      "(Kubernetes) nor SLURM_PROCID (Slurm) tells it",
  );
}

/** The workers of TensorFlow's own variable, with its chief before them; null where it names no other process. */
function fromTfConfig({ TF_CONFIG: text }: Environment): Told | null {
  if (text === undefined) return null;
  const { cluster, task } = parsed(text);
  const { chief = [], worker = [] } = cluster ?? {};
  const addresses = [...chief, ...worker];
  if (addresses.length < 2) return null;
  const { type, index } = task ?? {};
  const isIndex = typeof index === "number" && Number.isInteger(index) && index >= 0;
  if (!isIndex || (type !== "worker" && type !== "chief")) {
    throw new ConfigError('TF_CONFIG: "task" must have a type, "worker" or "chief", and an index');
  }
  return { addresses, rank: type === "chief" ? 0 : chief.length + index };
}

interface TfConfig {
  readonly cluster?: { readonly chief?: readonly string[]; readonly worker?: readonly string[] } | null;
  readonly task?: { readonly type?: unknown; readonly index?: unknown } | null;
}

function parsed(text: string): TfConfig {
  try {
    return (JSON.parse(text) ?? {}) as TfConfig; // what it holds is checked where it is used
  } catch {
    throw new ConfigError("TF_CONFIG: is no JSON; see TensorFlow's documentation of multi-worker training");
  }
}

/** Tasks of a Slurm step, by the variables that `srun` sets. */
function fromSlurm(environment: Environment): Told {
  const nodes = environment["SLURM_STEP_NODELIST"] ?? environment["SLURM_JOB_NODELIST"];
  const tasks = environment["SLURM_STEP_TASKS_PER_NODE"] ?? environment["SLURM_TASKS_PER_NODE"];
  const rank = numberOf(environment["SLURM_PROCID"]);
  if (nodes === undefined || tasks === undefined || rank === null) {
    throw new ConfigError(
      "--cluster slurm: SLURM_STEP_NODELIST, SLURM_STEP_TASKS_PER_NODE and SLURM_PROCID are not set; start it with srun",
    );
  }
  const [hosts, counts] = [expandHosts(nodes), expandCounts(tasks)];
  if (hosts.length !== counts.length) {
    throw new ConfigError(`--cluster slurm: ${hosts.length} hosts (${nodes}) and tasks on ${counts.length} (${tasks})`);
  }
  const onHost = (host: string, tasksThere = 0) =>
    Array.from({ length: tasksThere }, (_, local) => `${host}:${SLURM_PORT + local}`);
  return { addresses: hosts.flatMap((host, i) => onHost(host, counts[i])), rank };
}

/** "2(x3),1" → [2, 2, 2, 1]. @throws {ConfigError} for another text */
export function expandCounts(text: string): number[] {
  return text.split(",").flatMap((part) => {
    const [, count, times = "1"] = /^(\d+)(?:\(x(\d+)\))?$/.exec(part) ?? [];
    if (count === undefined) throw new ConfigError(`--cluster slurm: "${text}" does not tell the tasks of each host`);
    return Array<number>(Number(times)).fill(Number(count));
  });
}

/** "gpu[01-03,7],login" → ["gpu01", "gpu02", "gpu03", "gpu7", "login"]. @throws {ConfigError} for two ranges in a name */
export function expandHosts(text: string): string[] {
  return (text.match(/[^,[]+(?:\[[^\]]*\][^,[]*)*/g) ?? []).flatMap((part) => {
    if (!part.includes("[")) return [part];
    const [, before = "", inside, after = ""] = /^([^[]*)\[([\d,-]+)\]([^[]*)$/.exec(part) ?? [];
    if (inside === undefined)
      throw new ConfigError(`--cluster slurm: "${part}" names no hosts by one range of numbers`);
    return inside.split(",").flatMap((range) => {
      const [first = "", last = first] = range.split("-");
      const numbers = Array.from({ length: Number(last) - Number(first) + 1 }, (_, i) => Number(first) + i);
      return numbers.map((number) => `${before}${String(number).padStart(first.length, "0")}${after}`);
    });
  });
}

function numberOf(text: string | undefined): number | null {
  return text !== undefined && /^\d+$/.test(text) ? Number(text) : null;
}

/** @throws {ConfigError} where an address is not "host:port" */
function requireAddress(address: string): void {
  const [, port] = /^(?:[^:\s]+|\[[0-9a-fA-F:]+\]):(\d{1,5})$/.exec(address) ?? [];
  if (port !== undefined && Number(port) > 0 && Number(port) < 65536) return;
  throw new ConfigError(`--cluster: "${address}" is no address; give HOST:PORT of each process, by rank, with commas`);
}

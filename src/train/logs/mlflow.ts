import { pushAll } from "../../base/collections.js";
import { readFile } from "node:fs/promises";
import { z } from "zod";
import { HttpClient, withoutPassword } from "../../base/download.js";
import { writeFileAtomic } from "../../base/files.js";
import { jsonOf, reasonOf } from "../../base/text.js";
import type { MlflowTarget } from "./config.js";

/** Longest time for an answer of the server; training itself does not wait for it. */
const TIMEOUT_MS = 10_000;

/** Most values of one request, by MLflow's REST interface: metrics, parameters. */
const MOST_METRICS = 1000;
const MOST_PARAMETERS = 100;

/** Characters that every version of MLflow takes of a parameter's value. */
const LONGEST_VALUE = 250;

/** Values that wait for a server that does not answer; later ones are left out, and counted. */
const MOST_WAITING = 500_000;

/** State that a run is left in: `FINISHED`, or `KILLED` where it ended before its last epoch. */
export type MlflowStatus = "FINISHED" | "KILLED";

/** Run as MLflow shows it. */
export interface MlflowRun {
  readonly name: string;
  /** The resolved config. */
  readonly config: Readonly<Record<string, unknown>>;
  readonly tags: Readonly<Record<string, string>>;
  /** File that remembers the run's id, so that a resumed run goes on in it. */
  readonly file: string;
  /** Milliseconds since 1970. */
  readonly startedMs: number;
}

type Parameter = { readonly key: string; readonly value: string };

/** A value of a metric, as `runs/log-batch` takes it. */
interface Metric {
  readonly key: string;
  readonly value: number | string;
  /** Milliseconds since 1970. */
  readonly timestamp: number;
  readonly step: number;
}

const Experiment = z.object({ experiment: z.object({ experiment_id: z.string() }) });
const NewExperiment = z.object({ experiment_id: z.string() });
const Run = z.object({ run: z.object({ info: z.object({ run_id: z.string() }) }) });
const Refusal = z.object({ error_code: z.string(), message: z.string() });
const Remembered = z.object({ server: z.string(), runId: z.string() });

/** Statuses of a request that is wrong by itself: the same one is refused again. */
const REFUSING_FOR_GOOD: readonly number[] = [400, 413];

/** Answer other than 2xx, with MLflow's own code for it. */
class RefusedError extends Error {
  constructor(
    readonly status: number,
    readonly code: string,
    message: string,
  ) {
    super(message);
  }
}

/**
 * Measures for an MLflow tracking server, by its REST interface, version 2.0 (mlflow.org/docs, REST API). Values are
 * handed over at once and sent in the background. While the server does not answer they wait; that is noted once, and
 * each epoch tries again.
 */
export class MlflowLog {
  readonly #client = new HttpClient();
  /** Parameters of a new run that the server does not have yet. */
  readonly #parameters: Parameter[] = [];
  readonly #waiting: Metric[] = [];
  #runId: string | null = null;
  #sending: Promise<void> | null = null;
  #isDown = false;
  #dropped = 0;
  #hasRefused = false;

  /** @param note  told where the server does not answer, and where it does again */
  constructor(
    private readonly target: MlflowTarget,
    private readonly run: MlflowRun,
    private readonly note: (line: string) => void,
  ) {}

  /** @param seconds  since 1970 */
  scalars(step: number, seconds: number, values: Readonly<Record<string, number>>): void {
    const timestamp = Math.round(1000 * seconds);
    for (const [key, value] of Object.entries(values)) {
      if (this.#waiting.length >= MOST_WAITING) this.#dropped++;
      else this.#waiting.push({ key, value: Number.isFinite(value) ? value : String(value), timestamp, step });
    }
    if (!this.#isDown) this.send();
  }

  /** Sends what waits, in the background, unless that is being done. */
  send(): void {
    this.#sending ??= this.#sendAll().finally(() => {
      this.#sending = null;
    });
  }

  /** Sends what waits and the run's status; an unreachable server delays it by seconds. */
  async close(status: MlflowStatus, endedAtMs: number): Promise<void> {
    await this.#sending;
    await this.#trying(async () => {
      await this.#flush();
      await this.#post("runs/update", { run_id: this.#runId, status, end_time: endedAtMs });
    });
    await this.#client.close();
  }

  #sendAll(): Promise<void> {
    return this.#trying(() => this.#flush());
  }

  /** Notes the first failure, and the first success after one. */
  async #trying(work: () => Promise<void>): Promise<void> {
    const server = withoutPassword(this.target.server);
    try {
      await work();
      const lost = this.#dropped === 0 ? "" : `; ${this.#dropped} values are lost to it`;
      if (this.#isDown) this.note(`MLflow at ${server} answers again${lost}`);
      this.#isDown = false;
      this.#dropped = 0;
    } catch (error) {
      if (!this.#isDown) {
        this.note(
          `MLflow at ${server}: ${failureOf(error)}. Training goes on, and metrics.jsonl has every value; each epoch tries again`,
        );
      }
      this.#isDown = true;
    }
  }

  async #flush(): Promise<void> {
    this.#runId ??= (await this.#rememberedRun()) ?? (await this.#newRun());
    await this.#sendPieces(this.#parameters, MOST_PARAMETERS, (params) => ({ params }));
    await this.#sendPieces(this.#waiting, MOST_METRICS, (metrics) => ({ metrics }));
  }

  /** Sends what waits; a piece that the server will never take is left out, and the first such piece is noted. */
  async #sendPieces<T>(waiting: T[], most: number, bodyOf: (piece: readonly T[]) => object): Promise<void> {
    while (waiting.length > 0) {
      const piece = waiting.slice(0, most);
      try {
        await this.#post("runs/log-batch", { run_id: this.#runId, ...bodyOf(piece) });
      } catch (error) {
        if (!(error instanceof RefusedError && REFUSING_FOR_GOOD.includes(error.status))) throw error;
        if (!this.#hasRefused) this.note(`MLflow at ${withoutPassword(this.target.server)}: ${error.message}; such values are left out there`); // prettier-ignore
        this.#hasRefused = true;
      }
      waiting.splice(0, piece.length);
    }
  }

  /** Run that a resumed training goes on in; null for a new one, or where the server has it no more. */
  async #rememberedRun(): Promise<string | null> {
    const found = Remembered.safeParse(jsonOf(await readFile(this.run.file, "utf8").catch(() => "")));
    if (found.data?.server !== withoutPassword(this.target.server)) return null;
    const { runId } = found.data;
    try {
      await this.#post("runs/update", { run_id: runId, status: "RUNNING" });
      return runId;
    } catch (error) {
      if (error instanceof RefusedError && error.code === "RESOURCE_DOES_NOT_EXIST") return null;
      throw error;
    }
  }

  async #newRun(): Promise<string> {
    const { name, config, tags, file, startedMs } = this.run;
    const experiment = await this.#experiment();
    const created = await this.#post("runs/create", {
      ...{ experiment_id: experiment, run_name: name, start_time: startedMs },
      tags: Object.entries(tags).map(([key, value]) => ({ key, value })),
    });
    const runId = Run.parse(created).run.info.run_id;
    pushAll(this.#parameters, parametersOf(config));
    const remembered = { server: withoutPassword(this.target.server), experiment: this.target.experiment, runId };
    await writeFileAtomic(file, `${JSON.stringify(remembered)}\n`);
    return runId;
  }

  /** Identifier of the experiment, made where it is not there. */
  async #experiment(): Promise<string> {
    const { experiment: name } = this.target;
    try {
      const found = await this.#get(`experiments/get-by-name?experiment_name=${encodeURIComponent(name)}`);
      return Experiment.parse(found).experiment.experiment_id;
    } catch (error) {
      if (!(error instanceof RefusedError && error.code === "RESOURCE_DOES_NOT_EXIST")) throw error;
      return NewExperiment.parse(await this.#post("experiments/create", { name })).experiment_id;
    }
  }

  #get(call: string): Promise<unknown> {
    return this.#call(call, (address, options) => this.#client.get(address, options.headers, options.signal));
  }

  #post(call: string, body: unknown): Promise<unknown> {
    return this.#call(call, (address, options) =>
      this.#client.post(address, { ...options, json: JSON.stringify(body) }),
    );
  }

  async #call(
    call: string,
    ask: (address: URL, options: CallOptions) => ReturnType<HttpClient["get"]>,
  ): Promise<unknown> {
    const address = new URL(this.target.server);
    const [pathname = "", query = ""] = `${address.pathname.replace(/\/$/, "")}/api/2.0/mlflow/${call}`.split("?");
    [address.pathname, address.search] = [pathname, query];
    const answer = await ask(address, { headers: authorization(process.env), signal: AbortSignal.timeout(TIMEOUT_MS) });
    const json = jsonOf(await answer.text());
    if (answer.ok) return json;
    const { data } = Refusal.safeParse(json);
    throw new RefusedError(
      answer.status,
      data?.error_code ?? "",
      `${call.split("?")[0] ?? ""}: status ${answer.status} ${data?.message ?? ""}`.trim(),
    );
  }
}

/** Reason of a failed request; `fetch` keeps it as the cause of its own error. */
function failureOf(error: unknown): string {
  return reasonOf(error instanceof TypeError && error.cause !== undefined ? error.cause : error);
}

interface CallOptions {
  readonly headers: Readonly<Record<string, string>>;
  readonly signal: AbortSignal;
}

/** Login of the environment, as MLflow's own clients take it; one in the address counts where there is none. */
function authorization(environment: NodeJS.ProcessEnv): Record<string, string> {
  const {
    MLFLOW_TRACKING_TOKEN: token,
    MLFLOW_TRACKING_USERNAME: user,
    MLFLOW_TRACKING_PASSWORD: password,
  } = environment;
  if (token !== undefined && token !== "") return { Authorization: `Bearer ${token}` };
  if (user === undefined || user === "") return {};
  return { Authorization: `Basic ${Buffer.from(`${user}:${password ?? ""}`).toString("base64")}` };
}

/** Keys of the config with their values, but for the address of the server, which may hold a password. */
function parametersOf(config: unknown, path = ""): Parameter[] {
  if (path === "mlflow") return [];
  if (typeof config !== "object" || config === null) {
    const value = typeof config === "string" ? config : JSON.stringify(config);
    return [{ key: path, value: value.slice(0, LONGEST_VALUE) }];
  }
  return Object.entries(config).flatMap(([key, inner]) => parametersOf(inner, path === "" ? key : `${path}.${key}`));
}

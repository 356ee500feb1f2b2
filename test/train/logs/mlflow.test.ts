import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterEach, describe, expect, it, vi } from "vitest";
import { ConfigError } from "../../../src/base/errors.js";
import { LoggingConfig, MlflowConfig, mlflowTarget } from "../../../src/train/logs/config.js";
import { MlflowLog } from "../../../src/train/logs/mlflow.js";
import { trainSplit } from "../../../src/train/run.js";
import type { MetricsLine } from "../../../src/train/logs/metricsLog.js";
import { httpServer } from "../../support/proxyServer.js";
import { stopWhen, temporaryFolder, toyDatabase, toyPlan } from "../../support/runs.js";

afterEach(() => {
  vi.unstubAllEnvs();
});

interface Call {
  readonly call: string;
  readonly body: Readonly<Record<string, unknown>>;
  readonly authorization: string | undefined;
}

/** Server that answers as MLflow's REST interface does, or with status 503 while `isDown`. */
async function fakeServer() {
  const calls: Call[] = [];
  const state = { isDown: false, hasExperiment: false, lostRun: "", refused: "" };
  const { host } = await httpServer((request, response) => {
    let text = "";
    request.on("data", (piece: Buffer) => (text += piece.toString()));
    request.on("end", () => {
      const call = (request.url ?? "").replace("/api/2.0/mlflow/", "");
      const body = JSON.parse(text === "" ? "{}" : text) as Call["body"]; // our own
      const answer = (status: number, json: unknown) => response.writeHead(status).end(JSON.stringify(json));
      if (state.isDown) return answer(503, {});
      if (state.refused !== "" && state.refused in body)
        return answer(400, { error_code: "INVALID_PARAMETER_VALUE", message: "too long" });
      calls.push({ call, body, authorization: request.headers.authorization });
      const isMissing =
        (call.startsWith("experiments/get") && !state.hasExperiment) || body["run_id"] === state.lostRun;
      if (isMissing) return answer(404, { error_code: "RESOURCE_DOES_NOT_EXIST", message: "there is none" });
      if (call.startsWith("experiments/get")) return answer(200, { experiment: { experiment_id: "7" } });
      if (call === "experiments/create") return answer(200, { experiment_id: "8" });
      return answer(200, call === "runs/create" ? { run: { info: { run_id: "abc" } } } : {});
    });
  });
  return { server: new URL(`http://${host}`), calls, state };
}

const CONFIG: Readonly<Record<string, unknown>> = { train: { epochs: 2 }, mlflow: { trackingUri: "secret" } };

function openLog(server: URL, file = join(temporaryFolder(), "mlflow.json"), config = CONFIG) {
  const notes: string[] = [];
  const run = {
    name: "toys/split-1",
    config,
    tags: { a: "b" },
    file,
    startedMs: 1234,
  };
  const log = new MlflowLog({ server, experiment: "iqa & more" }, run, (line) => notes.push(line));
  return { log, notes, file };
}

const called = (calls: readonly Call[]) => calls.map(({ call }) => call);

describe("MlflowLog", () => {
  it("makes experiment and run, logs the config without its address, then values by step, then the end", async () => {
    const { server, calls } = await fakeServer();
    const { log, notes } = openLog(server);
    log.scalars(4, 1.5, { "train/loss": 0.5, "train/gradient_norm": Infinity });
    await log.close("FINISHED", 2000);
    expect(called(calls)).toEqual([
      "experiments/get-by-name?experiment_name=iqa%20%26%20more",
      "experiments/create",
      "runs/create",
      "runs/log-batch",
      "runs/log-batch",
      "runs/update",
    ]);
    const [, , created, params, metrics, ended] = calls.map(({ body }) => body);
    expect(created).toMatchObject({
      experiment_id: "8",
      run_name: "toys/split-1",
      start_time: 1234,
      tags: [{ key: "a", value: "b" }],
    });
    expect(params).toEqual({ run_id: "abc", params: [{ key: "train.epochs", value: "2" }] });
    expect(metrics?.["metrics"]).toEqual([
      { key: "train/loss", value: 0.5, timestamp: 1500, step: 4 },
      { key: "train/gradient_norm", value: "Infinity", timestamp: 1500, step: 4 },
    ]);
    expect(ended).toEqual({ run_id: "abc", status: "FINISHED", end_time: 2000 });
    expect(notes).toEqual([]);
  });

  it("notes a server that does not answer once, keeps the values, and sends them when it does", async () => {
    const { server, calls, state } = await fakeServer();
    state.isDown = true;
    const { log, notes } = openLog(server);
    for (const step of [0, 1, 2]) log.scalars(step, 1, { loss: step });
    await vi.waitFor(() => {
      expect(notes.length).toBe(1);
    });
    log.send(); // as each epoch does
    log.scalars(3, 1, { loss: 3 });
    state.isDown = false;
    await log.close("KILLED", 1);
    expect(notes[0]).toMatch(/^MLflow at http:\S+: experiments\/get-by-name: status 503\. Training goes on/);
    expect(notes.slice(1)).toEqual([expect.stringMatching(/answers again$/)]);
    const metrics = calls.flatMap(({ body }) => (body["metrics"] ?? []) as { value: number }[]); // our own
    expect(metrics.map(({ value }) => value)).toEqual([0, 1, 2, 3]);
  });

  it.each(["params", "metrics"])("leaves out %s that the server refuses for good, in one run", async (refused) => {
    const { server, calls, state } = await fakeServer();
    state.refused = refused;
    const { log, notes } = openLog(server);
    for (const step of [0, 1]) {
      log.scalars(step, 1, { loss: step });
      await vi.waitFor(() => {
        expect(notes.length).toBe(1);
      });
    }
    await log.close("FINISHED", 1);
    expect(notes).toEqual([
      expect.stringMatching(/runs\/log-batch: status 400 too long; such values are left out there$/),
    ]);
    expect(called(calls).filter((call) => call === "runs/create")).toHaveLength(1);
    expect(calls.some(({ body }) => (refused === "params" ? "metrics" : "params") in body)).toBe(true);
  });

  it("does not throw where nothing listens, and leaves no run behind", async () => {
    const { log, notes, file } = openLog(new URL("http://user:word@127.0.0.1:9"));
    log.scalars(0, 1, { loss: 1 });
    await log.close("FINISHED", 1);
    expect(notes.length).toBe(1);
    expect(notes[0]).toMatch(/^MLflow at http:\/\/127\.0\.0\.1:9\/: .*(ECONNREFUSED|bad port)/);
    expect(existsSync(file)).toBe(false);
  });

  it("goes on in the run that its file names, and begins a new one where the server lost it", async () => {
    const { server, calls, state } = await fakeServer();
    const first = openLog(server);
    await first.log.close("KILLED", 1);
    calls.length = 0;
    const second = openLog(server, first.file);
    second.log.scalars(1, 1, { loss: 1 });
    await second.log.close("FINISHED", 2);
    expect(called(calls)).toEqual(["runs/update", "runs/log-batch", "runs/update"]);
    expect(calls[0]?.body).toEqual({ run_id: "abc", status: "RUNNING" });
    calls.length = 0;
    state.lostRun = "abc";
    state.hasExperiment = true;
    const third = openLog(server, first.file);
    third.log.send();
    await third.log.close("FINISHED", 3);
    expect(called(calls)).toContain("runs/create");
  });

  it.each([
    [{ TOKEN: "T", USERNAME: "u" }, "Bearer T"],
    [{ TOKEN: "", USERNAME: "user", PASSWORD: "word" }, `Basic ${Buffer.from("user:word").toString("base64")}`],
    [{ USERNAME: "user" }, `Basic ${Buffer.from("user:").toString("base64")}`],
    [{ USERNAME: "", PASSWORD: "word" }, undefined],
    [{}, undefined],
  ])("logs in as the environment says: %j", async (environment, login) => {
    const { server, calls } = await fakeServer();
    for (const [name, value] of Object.entries(environment)) vi.stubEnv(`MLFLOW_TRACKING_${name}`, value);
    const { log } = openLog(server);
    await log.close("FINISHED", 1);
    expect(new Set(calls.map(({ authorization }) => authorization))).toEqual(new Set([login]));
  });

  it("logs every key of the config by its path, values that are no text as JSON, cut at what MLflow takes", async () => {
    const { server, calls } = await fakeServer();
    const config = {
      run: "toys",
      train: { clipNorm: null, lora: { dropout: 0.5 }, freeze: ["text", "vision.stem"] },
      long: "x".repeat(251),
      mlflow: { trackingUri: "secret" },
      isOn: true,
    };
    await openLog(server, undefined, config).log.close("FINISHED", 1);
    expect(calls.flatMap(({ body }) => body["params"] ?? [])).toEqual([
      { key: "run", value: "toys" },
      { key: "train.clipNorm", value: "null" },
      { key: "train.lora.dropout", value: "0.5" },
      { key: "train.freeze.0", value: "text" },
      { key: "train.freeze.1", value: "vision.stem" },
      { key: "long", value: "x".repeat(250) },
      { key: "isOn", value: "true" },
    ]);
  });

  it("sends at once as many values as MLflow takes, 100 of the config and 1000 of the measures", async () => {
    const { server, calls } = await fakeServer();
    const many = (count: number) => Object.fromEntries(Array.from({ length: count }, (_, i) => [`k${i}`, i]));
    const { log } = openLog(server, undefined, many(101));
    log.scalars(1, 1, many(1001));
    await log.close("FINISHED", 1);
    const sizes = (key: string) => calls.flatMap(({ body }) => (key in body ? [(body[key] as unknown[]).length] : []));
    expect([sizes("params"), sizes("metrics")]).toEqual([
      [100, 1],
      [1000, 1],
    ]);
  });

  it("asks below the path of the server's address", async () => {
    const { server, calls } = await fakeServer();
    const { log } = openLog(new URL("base/", server));
    await log.close("FINISHED", 1);
    expect(calls[0]?.call).toBe("/baseexperiments/get-by-name?experiment_name=iqa%20%26%20more");
  });

  it("remembers its run for this server alone", async () => {
    const { server, calls } = await fakeServer();
    const { log, file } = openLog(server);
    await log.close("KILLED", 1);
    const remembered = { server: server.href, experiment: "iqa & more", runId: "abc" };
    expect(readFileSync(file, "utf8")).toBe(`${JSON.stringify(remembered)}\n`);
    writeFileSync(file, JSON.stringify({ ...remembered, server: "http://other/", runId: "theirs" }));
    calls.length = 0;
    await openLog(server, file).log.close("FINISHED", 2);
    expect(calls.some(({ body }) => body["run_id"] === "theirs")).toBe(false);
    expect(called(calls)).toContain("runs/create");
  });
});

describe("mlflowTarget", () => {
  const config = (mlflow: Partial<MlflowConfig> = {}) => ({
    logging: ["mlflow"],
    mlflow: { ...MlflowConfig.parse({}), ...mlflow },
  });

  it("takes server and experiment from the config before the environment", () => {
    const environment = { MLFLOW_TRACKING_URI: "http://a:1", MLFLOW_EXPERIMENT_NAME: "theirs" };
    expect(mlflowTarget(config(), environment)).toEqual({ server: new URL("http://a:1"), experiment: "theirs" });
    expect(mlflowTarget(config({ trackingUri: "https://b/x", experiment: "mine" }), environment)).toEqual({
      server: new URL("https://b/x"),
      experiment: "mine",
    });
    expect(mlflowTarget(config({ trackingUri: "https://b" }), {})?.experiment).toBe("liqe");
    expect(mlflowTarget({ ...config(), logging: [] }, environment)).toBeNull();
  });

  it("refuses to begin without an address, and with one of files", () => {
    const missing = new ConfigError(
      "logging: mlflow needs the address of a tracking server: set mlflow.trackingUri, or MLFLOW_TRACKING_URI of the " +
        "environment",
    );
    expect(() => mlflowTarget(config(), {})).toThrow(missing);
    expect(() => mlflowTarget(config(), { MLFLOW_TRACKING_URI: "" })).toThrow(missing);
    for (const address of ["file:///runs", "runs", "xhttp://a"]) {
      expect(() => mlflowTarget(config(), { MLFLOW_TRACKING_URI: address })).toThrow(
        new ConfigError(
          `MLFLOW_TRACKING_URI of the environment is "${address}"; only the http or https address of a tracking server ` +
            "is written to (mlflow server --port 5000 starts one)",
        ),
      );
    }
    const unnamed = { MLFLOW_TRACKING_URI: "http://a:1", MLFLOW_EXPERIMENT_NAME: "" };
    expect(mlflowTarget(config(), unnamed)?.experiment).toBe("liqe");
  });

  it("refuses in the config what is no address of a server, and an experiment without a name", () => {
    const problems = (mlflow: object) => MlflowConfig.safeParse(mlflow).error?.issues.map(({ message }) => message);
    for (const trackingUri of ["file:///runs", "a:1", "", "xhttp://a"]) {
      expect(problems({ trackingUri })).toEqual(["must be the http or https address of a tracking server"]);
    }
    expect(problems({ experiment: "" })).toHaveLength(1);
    expect(problems({ server: "http://a" })).toHaveLength(1);
    expect(problems({ trackingUri: "https://a/b", experiment: "mine" })).toBeUndefined();
    expect(LoggingConfig.safeParse([""]).success).toBe(false);
    expect(LoggingConfig.parse(["mlflow", "tensorboard"])).toEqual(["mlflow", "tensorboard"]);
  });
});

describe("a run with logging: [mlflow]", () => {
  it("writes no TensorBoard events, sends every step, and tells onMetrics each line of metrics.jsonl", async () => {
    const { server, calls } = await fakeServer();
    const [root, folder] = [await toyDatabase(), join(temporaryFolder(), "split-1")];
    const plan = await toyPlan(root, folder, { epochs: 1 });
    const mlflow = MlflowConfig.parse({ trackingUri: server.href });
    const config = { ...plan.config, logging: ["mlflow" as const], mlflow };
    const lines: MetricsLine[] = [];
    const validate = () => Promise.resolve({ srcc: 0.5, average: 0.5 });
    const onMetrics = (line: MetricsLine) => lines.push(line);
    await trainSplit({ ...plan, config, onMetrics }, { validate, signal: stopWhen(() => false) });
    expect(calls.find(({ call }) => call === "runs/create")?.body).toMatchObject({
      ...{ run_name: "toys/split-1", start_time: 0 },
      tags: [
        { key: "mlflow.source.name", value: "liqe train" },
        { key: "liqe.version", value: "0.0.0" },
        { key: "liqe.folder", value: folder },
      ],
    });
    expect(JSON.parse(readFileSync(join(folder, "mlflow.json"), "utf8"))).toMatchObject({ runId: "abc" });
    const metrics = calls.flatMap(({ body }) => (body["metrics"] ?? []) as { key: string; step: number }[]); // our own
    expect(metrics.filter(({ key }) => key === "train/loss").map(({ step }) => step)).toEqual([0, 1, 2]);
    expect(metrics.filter(({ key }) => key === "val/srcc").map(({ step }) => step)).toEqual([3]);
    expect(calls.at(-1)?.body).toMatchObject({ status: "FINISHED" });
    expect(existsSync(join(folder, "tensorboard"))).toBe(false);
    const written = readFileSync(join(folder, "metrics.jsonl"), "utf8").trimEnd().split("\n");
    expect(lines).toEqual(written.map((line) => JSON.parse(line) as unknown));
    expect(lines.map(({ kind }) => kind)).toEqual(["step", "step", "step", "epoch"]);
  });
});

import { spawn } from "node:child_process";
import { createServer, type AddressInfo } from "node:net";
import { join } from "node:path";
import { setTimeout } from "node:timers/promises";
import { describe, expect, it, onTestFinished } from "vitest";
import { MlflowConfig } from "../../src/train/logs/config.js";
import { trainSplit } from "../../src/train/run.js";
import { PYTHON, pythonJson, withoutPython } from "../support/python.js";
import { stopWhen, temporaryFolder, toyDatabase, toyPlan } from "../support/runs.js";

const SKIP = withoutPython("mlflow");

async function freePort(): Promise<number> {
  const server = createServer().listen(0, "127.0.0.1");
  await new Promise((resolve) => server.once("listening", resolve));
  const { port } = server.address() as AddressInfo; // of a listening TCP server
  await new Promise((resolve) => server.close(resolve));
  return port;
}

/** MLflow's own server with a store of its own, until the test is over. */
async function mlflowServer(folder: string): Promise<string> {
  const port = await freePort();
  const store = ["--backend-store-uri", `sqlite:///${join(folder, "mlflow.db")}`, "--artifacts-destination", folder];
  const server = spawn(PYTHON, ["-m", "mlflow", "server", "--port", String(port), "--workers", "1", ...store], {
    cwd: folder,
    stdio: "ignore",
    detached: true, // a group of its own, with its workers
  });
  const ended = new Promise((resolve) => server.once("exit", resolve));
  onTestFinished(async () => {
    if (server.pid !== undefined) process.kill(-server.pid, "SIGKILL");
    await ended;
  });
  const address = `http://127.0.0.1:${port}`;
  for (;;) {
    const answer = await fetch(`${address}/health`).catch(() => null);
    if (answer?.ok === true) return address;
    await setTimeout(200);
  }
}

describe("logging: [mlflow]", () => {
  it.skipIf(SKIP !== "")(
    `is what MLflow's own server and client show of a run, before and after a resume${SKIP}`,
    async () => {
      const store = temporaryFolder();
      const address = await mlflowServer(store);
      const [root, folder] = [await toyDatabase(), join(temporaryFolder(), "split-1")];
      const validate = () => Promise.resolve({ srcc: 0.5, average: 0.25 });
      const mlflow = MlflowConfig.parse({ trackingUri: address, experiment: "toys & co" });
      const notes: string[] = [];
      const train = async (epochs: number) => {
        const plan = await toyPlan(root, folder, { epochs });
        const config = { ...plan.config, logging: ["tensorboard" as const, "mlflow" as const], mlflow };
        const reporter = { ...plan.reporter, note: (line: string) => notes.push(line) };
        await trainSplit(
          { ...plan, config, record: { ...config, run: "toys" }, reporter },
          { validate, signal: stopWhen(() => false) },
        );
      };
      await train(1);
      await train(2);
      const code = `
import json
from mlflow.tracking import MlflowClient
client = MlflowClient(${JSON.stringify(address)})
experiment = client.get_experiment_by_name("toys & co")
runs = client.search_runs([experiment.experiment_id])
history = lambda name: [[m.step, m.value] for m in client.get_metric_history(runs[0].info.run_id, name)]
print(json.dumps({"runs": [[r.info.run_name, r.info.status] for r in runs], "epochs": runs[0].data.params["train.epochs"],
                  "losses": [step for step, _ in history("train/loss")], "srcc": history("val/srcc")}))`;
      expect(pythonJson(code, store)).toEqual({
        runs: [["toys/split-1", "FINISHED"]],
        epochs: "1",
        losses: [0, 1, 2, 3, 4, 5],
        srcc: [[3, 0.5], [6, 0.5]], // prettier-ignore
      });
      expect(notes.filter((line) => line.includes("MLflow"))).toEqual([]);
    },
  );
});

import { startEngine } from "../../src/engine/engine.js";

/**
 * The engine of a test's process. One thread: the tests run a process a core, and small tensors gain nothing by more;
 * LIQE_TEST_THREADS sets another number, to see that no test depends on it.
 * setup.ts starts it before a file's tests; who computes while the file is being read has to start it there.
 */
export async function startTestEngine(): Promise<void> {
  await startEngine("auto", { threads: Number(process.env["LIQE_TEST_THREADS"] ?? 1) });
}

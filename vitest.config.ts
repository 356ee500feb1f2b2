import { availableParallelism } from "node:os";
import { defineConfig } from "vitest/config";

/** Each with an engine and the programs that its tests start: about a gigabyte. */
const MOST_WORKERS = 4;

export default defineConfig({
  test: {
    include: ["test/**/*.test.ts"],
    globalSetup: ["test/support/globalSetup.ts"],
    setupFiles: ["test/support/setup.ts"],
    pool: "forks", // a process a file: TensorFlow's library is loaded once a process, with one number of threads
    maxWorkers: Math.min(availableParallelism(), MOST_WORKERS),
    // No test measures time: these end what hangs, and have to be far above what a shared machine takes.
    testTimeout: 180_000,
    hookTimeout: 180_000,
  },
});

import { defineConfig } from "vitest/config";
import base from "./vitest.config.js";

/** `npm run test:chaos`: the long form of test/cli/kills.test.ts and test/cli/faults.test.ts. An hour, not seconds. */
export default defineConfig({
  test: {
    ...base.test,
    include: ["test/chaos/**/*.chaos.ts"],
    maxWorkers: 1,
    testTimeout: 1_800_000,
    hookTimeout: 180_000,
  },
});

import { defineConfig } from "vitest/config";
import base from "./vitest.config.js";

/** `npm run test:faults`: the long form of what test/cli/kills.test.ts does shortly. Minutes, not seconds. */
export default defineConfig({
  test: { ...base.test, include: ["test/faults/**/*.faults.ts"], testTimeout: 600_000, hookTimeout: 120_000 },
});

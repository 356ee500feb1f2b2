import { configDefaults, defineConfig } from "vitest/config";
import base from "./vitest.config.js";
import { SLOW } from "./vitest.slow.config.js";

/** `npm test`: every test but the slow ones. */
export default defineConfig({ test: { ...base.test, exclude: [...configDefaults.exclude, ...SLOW] } });

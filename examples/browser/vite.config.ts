import { fileURLToPath } from "node:url";
import { defineConfig, type Plugin } from "vite";
import { CONTENT_SECURITY_POLICY } from "./policy.js";

/** In the built page alone: the development server puts styles and a socket of its own into it. */
const policy: Plugin = {
  name: "content-security-policy",
  apply: "build",
  transformIndexHtml: () => [
    {
      tag: "meta",
      attrs: { "http-equiv": "Content-Security-Policy", content: CONTENT_SECURITY_POLICY },
      injectTo: "head-prepend",
    },
  ],
};

export default defineConfig({
  root: fileURLToPath(new URL(".", import.meta.url)),
  base: "./", // any folder of any server
  appType: "mpa", // a file that is missing is missing, and not this page
  plugins: [policy],
  worker: { format: "es" },
  resolve: {
    // In this checkout the library is taken from its source; elsewhere it comes from the installed package
    alias: { "liqe-train/inference": fileURLToPath(new URL("../../src/inference/index.ts", import.meta.url)) },
  },
  preview: { headers: { "Content-Security-Policy": CONTENT_SECURITY_POLICY } },
});

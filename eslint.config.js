import eslint from "@eslint/js";
import tseslint from "typescript-eslint";

/** The architecture: which folder of src/ may import which (see CONTRIBUTING.md). `base` is free to all. */
const MAY_IMPORT = {
  base: [],
  engine: ["base"],
  model: ["base", "engine"],
  losses: ["base", "engine", "model"],
  data: ["base", "model"],
  evaluate: ["base", "engine", "model", "data"],
  train: ["base", "engine", "model", "losses", "data", "evaluate"],
  inference: ["base", "engine", "model"],
  export: ["base", "engine", "model", "evaluate", "inference"],
  api: ["base", "engine", "model", "losses", "data", "evaluate", "train", "inference", "export"],
  cli: ["base", "engine", "model", "data", "evaluate", "export", "api"],
};

const NO_ASYNC_TIDY = {
  selector: "CallExpression[callee.property.name='tidy'] > :function[async=true]",
  message: "tf.tidy cannot wait: what is made after the first await leaks. Await outside, tidy inside.",
};
const NO_MATH_RANDOM = {
  selector: "MemberExpression[object.name='Math'][property.name='random']",
  message: "All randomness comes from seededRandom in src/base/random.ts.",
};
const NO_PACKED_COPY = {
  selector: "ObjectExpression > SpreadElement > Identifier[name='sample']",
  message:
    "Samples of lists are packed, and their copies empty: { ...unpacked(sample) } of src/data/lists/packSamples.ts.",
};
const NO_SPREAD = ["push", "unshift", "max", "min", "fromCharCode", "fromCodePoint"].map((name) => ({
  selector: `CallExpression[callee.property.name='${name}'] > SpreadElement`,
  message:
    "From 110,000 items on, spreading into a call overflows the stack: pushAll, extentOf of src/base/collections.ts.",
}));

const boundaries = Object.entries(MAY_IMPORT).map(([folder, allowed]) => ({
  files: [`src/${folder}/**/*.ts`],
  rules: {
    "no-restricted-imports": [
      "error",
      {
        patterns: [
          ...Object.keys(MAY_IMPORT)
            .filter((other) => other !== folder && !allowed.includes(other))
            .map((other) => ({
              regex: `^(\\.\\./)+${other}/`,
              message: `src/${folder} may not import src/${other}.`,
            })),
          ...(folder === "engine" ? [] : [{ group: ["@tensorflow/*"], message: "Import tf from src/engine/tf.js." }]),
        ],
      },
    ],
  },
}));

/** Files that run in a browser too: no Node module in them. */
const BROWSER_SAFE = [
  "src/base/{collections,distributions,errors,random,types,text}.ts",
  "src/engine/{cachedTensors,ops,shape,tf,uniform}.ts",
  "src/engine/compile/*.ts",
  "src/engine/autodiff/**/*.ts",
  "src/model/*.ts",
  "src/model/{architecture,layers,parameters,preprocess,prompts,text,vision}/**/*.ts",
  "src/inference/**/*.ts",
];

export default tseslint.config(
  {
    ignores: [
      "dist/",
      "examples/browser/dist/",
      "examples/browser/public/",
      "node_modules/",
      "coverage/",
      "checkpoints/",
      "IQA_Database/",
    ],
  },
  eslint.configs.recommended,
  {
    files: ["**/*.ts"],
    extends: [...tseslint.configs.strictTypeChecked],
    languageOptions: { parserOptions: { projectService: true, tsconfigRootDir: import.meta.dirname } },
    rules: {
      "no-restricted-syntax": ["error", NO_ASYNC_TIDY, NO_MATH_RANDOM, NO_PACKED_COPY],
      "@typescript-eslint/restrict-template-expressions": ["error", { allowNumber: true, allowBoolean: true }],
      "no-console": "error",
      "@typescript-eslint/no-unsafe-enum-assignment": "off", // a tenth of lint's time, and there are no enums
    },
  },
  {
    files: ["src/**/*.ts"],
    rules: { "no-restricted-syntax": ["error", NO_ASYNC_TIDY, NO_MATH_RANDOM, NO_PACKED_COPY, ...NO_SPREAD] },
  },
  ...boundaries,
  {
    files: BROWSER_SAFE,
    rules: {
      "no-restricted-globals": ["error", "process", "Buffer", "require", "__dirname"],
      "@typescript-eslint/no-restricted-imports": [
        "error",
        { patterns: [{ regex: "^node:", message: "This file runs in browsers too: no Node module." }] },
      ],
    },
  },
  {
    files: ["test/support/setup.ts"], // replaces console's functions, so that a test that prints fails
    rules: { "no-console": "off" },
  },
  {
    files: ["**/*.{js,mjs}"],
    languageOptions: { globals: { process: "readonly", console: "readonly", URL: "readonly" } },
  },
  {
    files: ["examples/browser/{served,src/shared}/*.js"], // sent as they are; TypeScript checks them and their names
    rules: { "no-undef": "off" },
  },
);

import { z } from "zod";
import { RunConfig } from "../train/runConfig.js";
import { loadConfig } from "./config.js";

/** Key of a config with what it is set to. */
export interface ShownKey {
  /** Path, as `--set` takes it. */
  readonly key: string;
  readonly value: unknown;
  /** Undefined where the key has none. */
  readonly default: unknown;
  /** Line on it; null where the schema has none. */
  readonly meaning: string | null;
}

type Schema = z.core.JSONSchema._JSONSchema | undefined;

/**
 * Lists every key of a config: its value, its default, and one line of meaning.
 * @param name  path, or a name from configs/
 * @param set   changes, `path=value` each
 * @throws {@link ConfigError} where there is no such config, or listing every problem in it
 */
export function showConfig(name: string, set: readonly string[] = []): ShownKey[] {
  const { config } = loadConfig(name, set);
  return keysOf(z.toJSONSchema(RunConfig, { io: "input", unrepresentable: "any" }), config, []);
}

/** Key that a config may have. */
export interface KnownKey {
  /** Path; `[]` stands for the place in a list. */
  readonly key: string;
  readonly default: unknown;
  /** Accepted values where they are listed, else null. */
  readonly choices: readonly string[] | null;
  readonly meaning: string | null;
}

/** Every key that a config may have, in the schema's order: docs/config.md (`npm run docs`). */
export function knownKeys(): KnownKey[] {
  return knownKeysOf(z.toJSONSchema(RunConfig, { io: "input", unrepresentable: "any" }), "");
}

function knownKeysOf(schema: Schema, path: string): KnownKey[] {
  if (typeof schema !== "object") return [];
  const { properties, items } = schema;
  if (typeof items === "object" && !Array.isArray(items) && items.properties !== undefined) {
    return knownKeysOf(items, `${path}[]`);
  }
  if (properties !== undefined) {
    const below = Object.entries(properties);
    return below.flatMap(([key, inner]) => knownKeysOf(inner, path === "" ? key : `${path}.${key}`));
  }
  const choices = schema.enum?.map(String) ?? null;
  return [{ key: path, default: schema.default, choices, meaning: schema.description ?? null }];
}

function keysOf(schema: Schema, value: unknown, path: readonly string[]): ShownKey[] {
  if (typeof schema !== "object") return [];
  const { properties } = schema;
  if (properties === undefined) {
    return [{ key: path.join("."), value, default: schema.default, meaning: schema.description ?? null }];
  }
  const record = Object.entries(value ?? {});
  return Object.entries(properties).flatMap(([key, inner]) => {
    const own = record.find(([name]) => name === key)?.[1] as unknown; // entries of an object are of any type
    return own === undefined ? [] : keysOf(inner, own, [...path, key]);
  });
}

import type { KnownKey } from "../src/api/showConfig.js";

/** Text of docs/config.md. */
export function configPage(keys: readonly KnownKey[]): string;

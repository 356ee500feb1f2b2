// `npm run build`: compiles src/ to dist/. tsc compares with the last build itself and compiles what changed.
import { main, tool } from "./steps.mjs";

await main(() => tool("typescript/bin/tsc", "-p", "tsconfig.build.json"));

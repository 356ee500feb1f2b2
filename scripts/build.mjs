// `npm run build`: compiles src/ to dist/.
import { build, main } from "./steps.mjs";

await main(build);

/** One measurement of bench.mjs: floating-point operations a second of the best float32 product. `productRun.mjs THREADS` */
import { peakFlopsPerSecond } from "../dist/engine/backend/benchmark.js";
import { startEngine } from "../dist/engine/engine.js";

await startEngine("native", { threads: Number(process.argv[2]) });
const found = Array.from({ length: 5 }, () => peakFlopsPerSecond());
console.log(JSON.stringify({ float32: Math.max(...found) }));

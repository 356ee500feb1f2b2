import { it } from "vitest";
import * as tf from "../../src/engine/tf.js";
import { startEngine } from "../../src/engine/engine.js";
import { AdamW } from "../../src/train/adamw.js";
import { writeFileSync } from "node:fs";
import { gradientNorm, clipGradients } from "../../src/train/clipGradients.js";
it("perf", async () => {
  const out: string[] = [];
  const rss = () => (process.memoryUsage.rss() / 1e6).toFixed(0) + "MB";
  const run = (n: number, side: number, steps: number, kernels: readonly ("auto" | "plain")[]) => {
  const vars = new Map<string, tf.Variable>(), grads = new Map<string, tf.Tensor>();
  for (let i = 0; i < n; i++) { vars.set("p" + i, tf.variable(tf.tidy(() => tf.sin(tf.reshape(tf.range(i, i + side * side), [side, side]))))); grads.set("p" + i, tf.tidy(() => tf.cos(tf.reshape(tf.range(i, i + side * side), [side, side])))); }
  for (const kernel of kernels) {
    const a = new AdamW(vars, { weightDecay: 1e-3, kernel });
    const t: number[] = [];
    for (let s = 0; s < steps; s++) { const b = performance.now(); a.apply(grads, 1e-3); t.push(performance.now() - b); }
    out.push(`${tf.getBackend()} ${n}x${side}^2 ${kernel} ` + t.map((x) => x.toFixed(0)).join(" ") + " " + rss());
    a.dispose();
  }
  const t: number[] = [];
  for (let s = 0; s < 4; s++) { const b = performance.now(); tf.tidy(() => gradientNorm(grads).dataSync()); t.push(performance.now() - b); }
  out.push("norm " + t.map((x) => x.toFixed(0)).join(" "));
  tf.dispose([...vars.values(), ...grads.values()]);
  };
  run(100, 200, 10, ["auto", "plain", "auto", "plain"]);
  run(40, 1000, 4, ["auto", "plain"]);
  out.push("before leak " + rss());
  const v = new Map([["w", tf.variable(tf.zeros([1000, 4000]))]]); const g = new Map([["w", tf.ones([1000, 4000])]]);
  for (let i = 0; i < 30; i++) { const a = new AdamW(v, { weightDecay: 0 }); a.apply(g, 0.1); a.restore(a.state()); a.apply(g, 0.1); a.dispose(); if (i % 10 === 9) { out.push("leak " + i + " " + rss() + " " + tf.memory().numTensors); await new Promise((r) => setTimeout(r, 20)); } }
  await startEngine("wasm");
  run(100, 200, 6, ["auto"]);
  await startEngine("auto");
  writeFileSync("/tmp/num/perf.txt", out.join("\n") + "\n");
}, 120000);

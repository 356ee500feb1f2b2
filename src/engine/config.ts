import { z } from "zod";

/** Section `engine` of a config. */
export const EngineConfig = z
  .strictObject({
    threads: z
      .union([z.literal("auto"), z.int().positive()])
      .default("auto")
      .describe("threads of one operation of the native engine; auto: one a processor core that this process may use"),
    compile: z
      .enum(["auto", "never"])
      .default("auto")
      .describe(
        "auto: a step is a few functions of the native engine; never: one call an operation, as on WebAssembly",
      ),
    precision: z
      .enum(["float32", "bfloat16"])
      .default("float32")
      .describe("matrix products of training; bfloat16 needs a processor with units for it, or a GPU"),
    xla: z
      .enum(["auto", "always", "never"])
      .default("auto")
      .describe("gradients by TensorFlow's XLA compiler; auto: on GPUs, as on a CPU it costs seconds and saves little"),
    tf32: z
      .boolean()
      .default(false)
      .describe("matrix products on NVIDIA GPUs in TensorFloat-32: quicker, with 10 bits of mantissa instead of 23"),
  })
  .refine(({ compile, xla }) => compile === "auto" || xla !== "always", {
    path: ["xla"],
    error: "must not be always with `compile: never`: XLA compiles functions",
  })
  .refine(({ compile, precision }) => compile === "auto" || precision === "float32", {
    path: ["precision"],
    error: "must be float32 with `compile: never`: only compiled functions multiply in bfloat16",
  });
export type EngineConfig = Readonly<z.output<typeof EngineConfig>>;

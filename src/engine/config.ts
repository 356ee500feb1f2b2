import { z } from "zod";

/** Section `engine` of a config. */
export const EngineConfig = z.strictObject({
  threads: z
    .union([z.literal("auto"), z.int().positive()])
    .default("auto")
    .describe("threads of one operation of the native engine; auto: one a processor core that this process may use"),
  tf32: z
    .boolean()
    .default(false)
    .describe("matrix products on NVIDIA GPUs in TensorFloat-32: quicker, with 10 bits of mantissa instead of 23"),
});
export type EngineConfig = Readonly<z.output<typeof EngineConfig>>;

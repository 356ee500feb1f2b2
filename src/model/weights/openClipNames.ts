/** Names of tensors in open_clip's SigLIPs, whose image towers are of the timm library. */
import { rowsBy } from "./transformersNames.js";

/** Tensor that a SigLIP of open_clip's has, and nothing else: the query that gathers the patches' states. */
export const OPEN_CLIP_SIGLIP = "visual.trunk.attn_pool.latent";

const TRUNK = "visual.trunk";
const BLOCK = ["visual.trunk.blocks.#", "visual.transformer.resblocks.#"] as const;
const POOL = [`${TRUNK}.attn_pool`, "visual.attnpool"] as const;

const parts = ([theirs, ours]: readonly [string, string], names: readonly (readonly [string, string])[]) =>
  names.map(([from, to]) => [`${theirs}.${from}`, `${ours}.${to}`, "same"] as const);

/** OpenAI's name of a tensor of an open_clip SigLIP, and how its values become OpenAI's; an unknown name stays as it is. */
export const openClipName = rowsBy([
  [OPEN_CLIP_SIGLIP, "visual.attnpool.probe", "same"],
  [`${TRUNK}.pos_embed`, "visual.positional_embedding", "first of one"],
  [`${TRUNK}.patch_embed.proj.*`, "visual.conv1.*", "same"],
  [`${TRUNK}.norm.*`, "visual.ln_post.*", "same"],
  ...parts(BLOCK, [
    ["norm1.*", "ln_1.*"],
    ["norm2.*", "ln_2.*"],
    ["attn.qkv.*", "attn.in_proj_*"],
    ["attn.proj.*", "attn.out_proj.*"],
    ["mlp.fc1.*", "mlp.c_fc.*"],
    ["mlp.fc2.*", "mlp.c_proj.*"],
  ]),
  [`${POOL[0]}.q.*`, `${POOL[1]}.attn.in_proj_*`, 0],
  [`${POOL[0]}.kv.*`, `${POOL[1]}.attn.in_proj_*`, "second and third"],
  ...parts(POOL, [
    ["proj.*", "attn.out_proj.*"],
    ["norm.*", "ln_mlp.*"],
    ["mlp.fc1.*", "mlp.c_fc.*"],
    ["mlp.fc2.*", "mlp.c_proj.*"],
  ]),
  ["text.token_embedding.weight", "token_embedding.weight", "same"],
  ["text.positional_embedding", "positional_embedding", "same"],
  ["text.ln_final.*", "ln_final.*", "same"],
  ["text.text_projection.weight", "text_projection", "transposed"],
  ["text.text_projection.bias", "text_projection_bias", "same"],
  ...["ln_1.*", "ln_2.*", "attn.in_proj_*", "attn.out_proj.*", "mlp.c_fc.*", "mlp.c_proj.*"].map(
    (part) => [`text.transformer.resblocks.#.${part}`, `transformer.resblocks.#.${part}`, "same"] as const,
  ),
]);

import type { ExportSource } from "./exportFormat.js";

export const LICENCE_FILE = "LICENSE-NOTES";

/** What a user of the weights should know of rights: where the weights, the databases and the method come from. */
export function licenceNotes({ training }: ExportSource): string {
  const databases = namesOf(training);
  const trained =
    databases.length === 0
      ? "Nothing here says what these weights were trained on. Ask whoever gave them to you."
      : `These weights were trained on: ${databases.join(", ")}.\n` +
        "Image quality databases are usually released for research alone; whether weights that were trained on one may be\n" +
        "used for other ends is for its licence to say. Its authors' page has it; manifest.json has the lists.";
  return `Notes on licences. They are no licence, and no advice from a lawyer.

${trained}

Where training began from OpenAI's CLIP weights (manifest.json, training.config.model.weights): OpenAI publishes CLIP's
code and weights under the MIT licence, https://github.com/openai/CLIP, whose model card says which uses were not
intended.

The method is LIQE: Zhang, Zhai, Wei, Yang, Ma, "Blind Image Quality Assessment via Vision-Language Correspondence: A
Multitask Learning Perspective", CVPR 2023. Please cite it.

The program that wrote this folder, liqe-train, is under the MIT licence. It lays no claim to the weights: those who
trained them decide about them, within what the above allows.
`;
}

function namesOf(training: ExportSource["training"]): string[] {
  const databases = training?.["databases"];
  if (!Array.isArray(databases)) return [];
  return databases.flatMap((database: unknown) =>
    typeof database === "object" && database !== null && "name" in database ? [String(database.name)] : [],
  );
}

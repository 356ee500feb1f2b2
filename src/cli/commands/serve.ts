import { once } from "node:events";
import { ConfigError } from "../../base/errors.js";
import { defineCommand } from "../command.js";
import {
  engineOptions,
  IN_THE_BOX,
  kindOptions,
  precisionOption,
  promptOptions,
  readingOptions,
  textOption,
  wholeNumberOption,
} from "../options.js";
import { withProgress } from "../progress.js";
import { listenForStop } from "../signals.js";

const TOKEN =
  "secret that POST /score and GET /metrics ask for; given as the variable LIQE_TOKEN, no list of processes shows it";
const QUEUE = "images in work at once; what comes beyond is answered 503  [default: 128]";
const HIGHEST_PORT = 65_535;

export const serveCommand = defineCommand({
  command: "serve",
  describe: "score photographs that come by HTTP",
  builder: (yargs) =>
    readingOptions(promptOptions(kindOptions(engineOptions(yargs))))
      .option("checkpoint", textOption(`a run, a checkpoint folder or a weight file  [default: ${IN_THE_BOX}]`))
      .option("host", textOption("address to listen on; any but loopback needs --token  [default: 127.0.0.1]"))
      .option("port", wholeNumberOption("port", 0, "port to listen on, 0 for any free one  [default: 8080]"))
      .option("token", textOption(TOKEN))
      .option("max-queue", wholeNumberOption("max-queue", 1, QUEUE))
      .option("max-upload", wholeNumberOption("max-upload", 1, "megabytes of one image's file  [default: 64]"))
      .option(
        "upload-timeout",
        wholeNumberOption("upload-timeout", 1, "seconds a request may take to arrive  [default: 30]"),
      )
      .option("batch", wholeNumberOption("batch", 1, "windows computed at once  [default: 32]"))
      .option("precision", precisionOption)
      .check(({ port }) => {
        if (port === undefined || port <= HIGHEST_PORT) return true;
        throw new ConfigError(`--port: must be at most ${HIGHEST_PORT}, got ${port}`);
      })
      .example("$0 serve --checkpoint checkpoints/kadid", "a page and POST /score on http://127.0.0.1:8080")
      .example("curl --data-binary @photo.jpg http://127.0.0.1:8080/score", "the score of a photograph")
      .example("LIQE_TOKEN=... $0 serve --checkpoint checkpoints/kadid --host 0.0.0.0", "for other machines"),
  handler: async ({ checkpoint, token = process.env["LIQE_TOKEN"], ...options }) => {
    const { serve } = await import("../../api/serve/serve.js");
    await withProgress(async (progress) => {
      const stop = listenForStop(progress.note, "finishing what is in work; once more stops at once");
      stop.setEffect("end"); // until it listens there is nothing in work
      try {
        const service = await serve(checkpoint, { ...options, token, onProgress: progress.onEvent });
        stop.setEffect("save");
        process.stdout.write(`${service.address}\n`);
        if (!stop.signal.aborted) await once(stop.signal, "abort");
        await service.close();
      } finally {
        stop.dispose();
      }
    });
  },
});

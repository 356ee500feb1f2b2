/** The formats' names for the command line, which knows this room and not `inference`, and loads nothing heavy for its help. */
export { EXPORT_FORMATS } from "../inference/manifest.js";

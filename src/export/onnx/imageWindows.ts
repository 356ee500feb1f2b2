import { LARGE_SIDE, LARGE_STRIDE, STRIDE, WINDOW } from "../../model/preprocess/crops.js";
import { GOLDEN_CROPS } from "../golden/goldenScores.js";
import type { GraphBuilder, Value } from "./graphBuilder.js";
import { ONNX_TYPES } from "./schema.js";

/** Larger than the place of any pixel: the runtime refuses to read there. */
const OUTSIDE = 2 ** 40;

/**
 * The crops that `evaluationWindows` chooses, as ONNX operations: image [rows, cols, 3], uint8 → [n, 3, 224, 224],
 * float32, 0 to 1. An image below 224 pixels on a side makes the runtime fail.
 */
export function addWindows(graph: GraphBuilder, image: Value): Value {
  const rows = graph.op("Squeeze", [graph.op("Shape", [image], { start: 0, end: 1 }), graph.ints([0])]);
  const cols = graph.op("Squeeze", [graph.op("Shape", [image], { start: 1, end: 2 }), graph.ints([0])]);
  const { top, left } = corners(graph, rows, cols);
  const along = graph.op("Range", [graph.int(0), graph.int(WINDOW), graph.int(1)]); // [window]
  const down = graph.op("Add", [graph.op("Unsqueeze", [top, graph.ints([1])]), along]); // [n, window]
  const across = graph.op("Add", [graph.op("Unsqueeze", [left, graph.ints([1])]), along]); // [n, window]
  const rowStarts = graph.op("Mul", [graph.op("Unsqueeze", [down, graph.ints([2])]), cols]); // [n, window, 1]
  const places = graph.op("Add", [rowStarts, graph.op("Unsqueeze", [across, graph.ints([1])])]); // [n, window, window]
  const pixels = graph.op("Reshape", [image, graph.ints([-1, 3])]);
  const windows = graph.op("Gather", [pixels, refusingSmall(graph, rows, cols, places)], { axis: 0 });
  const levels = graph.op("Cast", [windows], { to: ONNX_TYPES.FLOAT });
  const unit = graph.op("Div", [levels, graph.float(255)]);
  return graph.op("Transpose", [unit], { perm: [0, 3, 1, 2] });
}

/** The windows' upper left corners, [n] each. */
function corners(graph: GraphBuilder, rows: Value, cols: Value): { top: Value; left: Value } {
  const isLarge = graph.op("GreaterOrEqual", [graph.op("Max", [rows, cols]), graph.int(LARGE_SIDE)]);
  const stride = graph.op("Where", [isLarge, graph.int(LARGE_STRIDE), graph.int(STRIDE)]);
  const positions = (side: Value) => {
    const room = graph.op("Sub", [side, graph.int(WINDOW)]);
    return graph.op("Add", [graph.op("Div", [room, stride]), graph.int(1)]);
  };
  const columns = positions(cols);
  const count = graph.op("Mul", [positions(rows), columns]);
  const crops = graph.op("Min", [count, graph.int(GOLDEN_CROPS)]);
  const step = graph.op("Max", [graph.op("Div", [count, graph.int(GOLDEN_CROPS)]), graph.int(1)]);
  const index = graph.op("Mul", [graph.op("Range", [graph.int(0), crops, graph.int(1)]), step]); // [n]
  return {
    top: graph.op("Mul", [graph.op("Div", [index, columns]), stride]),
    left: graph.op("Mul", [graph.op("Mod", [index, columns]), stride]),
  };
}

/** Places that are outside of every image where a side is too small: else a window would go on in the next row. */
function refusingSmall(graph: GraphBuilder, rows: Value, cols: Value, places: Value): Value {
  const isSmall = graph.op("Less", [graph.op("Min", [rows, cols]), graph.int(WINDOW)]);
  return graph.op("Add", [places, graph.op("Where", [isSmall, graph.int(OUTSIDE), graph.int(0)])]);
}

import { MAX_SHORTER_SIDE, PILLOW_WEIGHT_ONE } from "../../model/preprocess/resize.js";
import type { GraphBuilder, Value } from "./graphBuilder.js";
import { ONNX_TYPES } from "./schema.js";

/**
 * Reduces an image whose shorter side is above 768 pixels to 768, as `sizeImage` and `resized` do, and leaves any other as it
 * is: [rows, cols, 3], uint8 → [rows, cols, 3], int32, 0 to 255. The same pixels: the arithmetic is `resizeBilinear`'s, with
 * weights in float64 and sums in whole numbers. ONNX's own `Resize` has weights in float32, and where a pixel of a hundred
 * differs by one level, scores of large photographs were off by 3e-3.
 */
export function addReduction(graph: GraphBuilder, image: Value): Value {
  const rows = graph.op("Shape", [image], { start: 0, end: 1 }); // [1]
  const cols = graph.op("Shape", [image], { start: 1, end: 2 }); // [1]
  const shorter = graph.op("Min", [rows, cols]);
  const side = graph.ints([MAX_SHORTER_SIDE]);
  const isLarge = graph.op("Greater", [shorter, side]);
  const reduced = (size: Value) => {
    const cut = graph.op("Div", [graph.op("Mul", [size, side]), shorter]); // of whole numbers: cut to one
    return graph.op("Where", [isLarge, cut, size]);
  };
  const [fewerRows, fewerCols] = [reduced(rows), reduced(cols)];
  const narrow = addResampling(graph, image, { axis: 1, from: cols, to: fewerCols, shape: [rows, fewerCols] });
  return addResampling(graph, narrow, { axis: 0, from: rows, to: fewerRows, shape: [fewerRows, fewerCols] });
}

interface Resampling {
  readonly axis: 0 | 1;
  /** Sizes along the axis, [1]. */
  readonly from: Value;
  readonly to: Value;
  /** Rows and columns of the result, [1] each. */
  readonly shape: readonly [Value, Value];
}

/** Resizes along one axis: whole numbers, rounded to whole numbers. One tap after the other, so that memory stays small. */
function addResampling(graph: GraphBuilder, image: Value, { axis, from, to, shape }: Resampling): Value {
  const { places, weights, taps } = addTaps(graph, from, to);
  const last = graph.op("Sub", [from, graph.ints([1])]);
  const inside = graph.op("Min", [places, last]); // a place beyond the edge has the weight 0
  const size = graph.op("Concat", [...shape, graph.ints([3])], { axis: 0 });
  const half = graph.op("Expand", [graph.int32(PILLOW_WEIGHT_ONE / 2), size]);
  const others = graph.ints(axis === 0 ? [1, 2] : [0, 2]);
  const sums = graph.loop(taps, { type: "INT32", axes: ["rows", "cols", 3], initial: half }, (tap, sum) => {
    const taken = graph.op("Gather", [image, graph.op("Gather", [inside, tap], { axis: 0 })], { axis });
    const weight = graph.op("Unsqueeze", [graph.op("Gather", [weights, tap], { axis: 0 }), others]);
    return graph.op("Add", [sum, graph.op("Mul", [graph.op("Cast", [taken], { to: ONNX_TYPES.INT32 }), weight])]);
  });
  return graph.op("Div", [sums, graph.int32(PILLOW_WEIGHT_ONE)]);
}

/** Input places and weights of each output, [taps, outputs], and the number of taps: `triangleTaps` of resize.ts. */
function addTaps(graph: GraphBuilder, from: Value, to: Value): { places: Value; weights: Value; taps: Value } {
  const { DOUBLE, INT32, INT64 } = ONNX_TYPES;
  const double = (value: Value) => graph.op("Cast", [value], { to: DOUBLE });
  const scalar = (value: Value) => graph.op("Squeeze", [value, graph.ints([0])]);
  const [zero, one, half] = [graph.double(0), graph.double(1), graph.double(0.5)];
  const scale = graph.op("Div", [double(from), double(to)]); // [1]
  const support = graph.op("Max", [scale, one]);
  const outputs = double(graph.op("Range", [graph.int(0), scalar(to), graph.int(1)])); // [outputs]
  const center = graph.op("Mul", [graph.op("Add", [outputs, half]), scale]);
  const start = graph.op("Add", [graph.op("Sub", [center, support]), half]);
  const first = graph.op("Cast", [graph.op("Max", [start, zero])], { to: INT64 });
  const stop = graph.op("Add", [graph.op("Add", [center, support]), half]);
  const end = graph.op("Min", [graph.op("Cast", [stop], { to: INT64 }), from]);
  const reach = graph.op("Cast", [graph.op("Ceil", [support])], { to: INT64 });
  const taps = scalar(graph.op("Add", [graph.op("Mul", [reach, graph.ints([2])]), graph.ints([1])]));
  const tap = graph.op("Unsqueeze", [graph.op("Range", [graph.int(0), taps, graph.int(1)]), graph.ints([1])]);
  const places = graph.op("Add", [tap, first]); // [taps, outputs]
  const away = graph.op("Add", [graph.op("Sub", [double(places), center]), half]);
  const distance = graph.op("Abs", [graph.op("Mul", [away, graph.op("Div", [one, support])])]);
  const triangle = graph.op("Max", [graph.op("Sub", [one, distance]), zero]);
  const raw = graph.op("Where", [graph.op("Less", [places, end]), triangle, zero]);
  const share = graph.op("Div", [raw, graph.op("ReduceSum", [raw, graph.ints([0])], { keepdims: 1 })]);
  const fixed = graph.op("Add", [graph.op("Mul", [share, graph.double(PILLOW_WEIGHT_ONE)]), half]);
  return { places, weights: graph.op("Cast", [fixed], { to: INT32 }), taps };
}

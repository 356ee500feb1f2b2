/** Keys of a model's other fields, as its second field begins with one of them (onnx.proto, ModelProto). */
const SECOND_FIELDS = [0x12, 0x1a, 0x22, 0x28, 0x32, 0x3a, 0x42];

/** Whether a file's first bytes may be an ONNX model's: field 1, the version of the format, then another field. */
export function looksLikeOnnx(start: Uint8Array): boolean {
  return start[0] === 0x08 && (start[1] ?? 0x80) < 0x80 && SECOND_FIELDS.includes(start[2] ?? 0);
}

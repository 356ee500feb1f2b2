import { expect, it } from "vitest";
import { serverDef } from "../../../src/engine/cluster/serverDef.js";

it("names all processes, this one and the leader, as TensorFlow's tensorflow_server.proto numbers them", () => {
  const text = (field: number, value: string | readonly number[]) => {
    const bytes = typeof value === "string" ? [...Buffer.from(value)] : value;
    const key = field * 8 + 2;
    return [...(key < 128 ? [key] : [(key % 128) + 128, Math.floor(key / 128)]), bytes.length, ...bytes];
  };
  const task = (key: number, value: string) => text(2, [...(key === 0 ? [] : [8, key]), ...text(2, value)]); // 0: default
  const job = [...text(1, "worker"), ...task(0, "a:1"), ...task(1, "b:2")];
  const config = text(16, text(1, "/job:worker/replica:0/task:0"));
  const expected = [...text(1, text(1, job)), ...text(2, "worker"), 24, 1, ...text(4, config), ...text(5, "grpc")];
  expect([...serverDef(["a:1", "b:2"], 1)]).toEqual(expected);
});

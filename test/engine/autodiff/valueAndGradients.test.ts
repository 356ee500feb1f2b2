import { beforeEach, expect, it, vi } from "vitest";
import { valueAndGradients } from "../../../src/engine/autodiff/valueAndGradients.js";
import * as tf from "../../../src/engine/tf.js";
import { describeOnEachEngine } from "../../support/eachEngine.js";
import { expectTensorsKept } from "../../support/tensors.js";

/** Passes its input on; its gradient tells that it is being computed, and looks at the tensors alive. */
function probe(seen: () => void): (x: tf.Tensor) => tf.Tensor {
  return tf.customGrad((...args: (tf.Tensor | tf.GradSaveFunc)[]) => ({
    value: tf.clone(args[0] as tf.Tensor), // customGrad hands over the inputs first
    gradFunc: (dy: tf.Tensor) => {
      seen();
      return tf.clone(dy);
    },
  }));
}

/** Every operation whose operands are let go of, and some whose are not; `a` [2, 3], `b` [3]. */
function mixture(a: tf.Tensor, b: tf.Tensor): tf.Tensor {
  const sum = tf.add(tf.mul(a, b), b); // b by two ways, and broadcast
  const difference = tf.sub(tf.square(sum), a);
  const joined = tf.concat([sum, difference, sum], 1); // [2, 9]
  const part = tf.slice(tf.reshape(joined, [3, 6]), [0, 1], [2, 4]);
  const [left, right] = tf.split(tf.softmax(part), 2, 1);
  if (left === undefined || right === undefined) throw new Error("split gives as many parts as it is asked for");
  return tf.add(tf.sum(tf.mul(left, tf.exp(right))), tf.mean(tf.tanh(difference)));
}

const bits = (tensors: readonly (tf.Tensor | undefined)[]) => tensors.map((tensor) => [...(tensor?.dataSync() ?? [])]);

describeOnEachEngine("gradientsBy", () => {
  let a: tf.Tensor2D;
  let b: tf.Tensor1D;
  beforeEach(() => {
    a = tf.tensor2d([0.5, -1, 2, 0.1, 0.3, -0.7], [2, 3]);
    b = tf.tensor1d([1.5, -0.2, 0.4]);
  });

  it("gives the value and the gradients of tf.grads, bit for bit", () => {
    const { value, gradients } = valueAndGradients(() => mixture(a, b), [a, b]);
    expect(bits([value])).toEqual(bits([mixture(a, b)]));
    expect(bits(gradients)).toEqual(bits(tf.grads((x: tf.Tensor, y: tf.Tensor) => mixture(x, y))([a, b])));
  });

  it("multiplies with the gradient that it is given", () => {
    const dy = tf.tensor1d([2, 3, 4]);
    const { gradients } = valueAndGradients(() => tf.square(b), [b], dy);
    expect(gradients[0]).toBeAllClose([6, -1.2, 3.2]);
    expect(dy.isDisposed).toBe(false);
  });

  it("reaches variables, the value itself, and a tensor asked for twice; others have no gradient", () => {
    const variable = tf.variable(b);
    const unused = tf.scalar(1);
    const { gradients } = valueAndGradients(() => tf.sum(tf.square(variable)), [variable, unused, variable]);
    expect(gradients[0]).toBeAllClose([3, -0.4, 0.8]);
    expect(gradients[1]).toBeUndefined();
    expect(bits([gradients[2]])).toEqual(bits([gradients[0]]));
    expect(gradients[2]?.id).not.toBe(gradients[0]?.id);
    expect(valueAndGradients(() => tf.clone(b), [b]).gradients[0]).toBeAllClose([1, 1, 1]);
    expect(valueAndGradients(() => b, [b]).gradients[0]).toBeAllClose([1, 1, 1]);
    variable.dispose();
  });

  it("gives the gradient by a tensor on the way, too", () => {
    const middle = tf.square(b);
    const { gradients } = valueAndGradients(() => tf.sum(tf.mul(tf.square(b), middle)), [b, middle]);
    expect(gradients[0]).toBeAllClose([6.75, -0.016, 0.128]); // 2b·b²
    expect(gradients[1]).toBeAllClose([2.25, 0.04, 0.16]);
  });

  it("keeps only the value and the gradients", () => {
    expectTensorsKept(3, () => valueAndGradients(() => mixture(a, b), [a, b]));
  });

  it("frees activations and gradients as it goes: at the chain's start little is left of it", () => {
    const chain = (seen: () => void) => {
      let x = probe(seen)(b);
      for (let i = 0; i < 40; i++) x = tf.tanh(x);
      return x;
    };
    const alive: number[] = [];
    const look = () => alive.push(tf.memory().numTensors);
    const before = tf.memory().numTensors;
    valueAndGradients(() => chain(look), [b]);
    tf.grads(() => chain(look))([b]);
    const [ours = NaN, theirs = NaN] = alive.map((count) => count - before);
    expect(ours).toBeLessThan(10);
    expect(theirs).toBeGreaterThan(80);
  });

  it("keeps no operand for the sake of its shape, and nothing of what no gradient passes through", () => {
    const alive: number[] = [];
    const frozen = tf.tensor1d([1, 2, 3]);
    valueAndGradients(() => {
      const before = tf.memory().numTensors;
      tf.tidy(() => {
        let x: tf.Tensor = b;
        let y: tf.Tensor = frozen;
        for (let i = 0; i < 10; i++) {
          x = tf.add(x, 1);
          y = tf.tanh(y);
        }
        return x;
      });
      alive.push(tf.memory().numTensors - before);
      return tf.square(b);
    }, [b]);
    expect(alive).toEqual([1]);
  });

  it.each(["forward", "backward"])("leaves nothing behind where the %s pass throws, and works again", (pass) => {
    const fail = vi.fn(() => {
      throw new Error("no memory");
    });
    const f = () => {
      const x = tf.exp(probe(pass === "backward" ? fail : () => {})(tf.tanh(tf.square(b))));
      if (pass === "forward") fail();
      return tf.tanh(x);
    };
    expectTensorsKept(0, () => {
      expect(() => valueAndGradients(f, [b])).toThrow("no memory");
    });
    expect(fail).toHaveBeenCalledTimes(1);
    expect(valueAndGradients(() => tf.square(b), [b]).gradients[0]).toBeAllClose([3, -0.4, 0.8]);
    expect(bits(tf.grads((x: tf.Tensor) => tf.square(x))([b]))[0]).toHaveLength(3);
  });

  it("refuses to run inside the forward pass of another gradient, which it would take the tape from", () => {
    const nested = () => valueAndGradients(() => tf.square(b), [b]).value;
    expect(() => valueAndGradients(nested, [b])).toThrow("inside the forward pass of another gradient");
  });
});

import fc from "fast-check";
import { expect, test } from "vitest";
import { paretoFront } from "./pareto-front.ts";

test("paretoFront() keeps what nothing else beats, and nothing more", () => {
  const points = fc.array(fc.record({ l0: fc.nat(6), mse: fc.nat(6) }));
  fc.assert(
    fc.property(points, (all) => {
      const beaten = (p: { l0: number; mse: number }) =>
        all.some((q) => q.l0 <= p.l0 && q.mse <= p.mse && (q.l0 < p.l0 || q.mse < p.mse));
      const front = paretoFront(all);
      expect(new Set(front)).toEqual(new Set(all.filter((p) => !beaten(p))));
      expect(front.map(({ l0 }) => l0)).toEqual(front.map(({ l0 }) => l0).sort((a, b) => a - b));
    }),
  );
});

import fc from "fast-check";
import { expect, test } from "vitest";
import { LazyQueue } from "./lazy-queue.ts";

test("LazyQueue gives ids by falling score, the lower id first among equals, while scores are lowered", () => {
  fc.assert(
    fc.property(
      fc.uniqueArray(fc.nat(40), { minLength: 1 }),
      fc.array(fc.integer({ min: -5, max: 5 }), { minLength: 41, maxLength: 41 }),
      fc.array(fc.boolean()),
      (ids, first, lowered) => {
        const scores = Float64Array.from(first);
        const queue = new LazyQueue(ids, scores);
        const left = new Set(ids);
        for (const isLowered of [...lowered, ...new Array<boolean>(ids.length).fill(false)]) {
          if (left.size === 0) break;
          const front = [...left].sort((a, b) => scores[b] - scores[a] || a - b)[0];
          expect(queue.top).toBe(front);
          if (isLowered) {
            queue.lowerTop(scores[front] - 2);
          } else {
            queue.pop();
            left.delete(front);
          }
          expect(queue.size).toBe(left.size);
        }
      },
    ),
  );
});

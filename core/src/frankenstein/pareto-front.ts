/** What a dictionary costs and how well it does; lower is better in both. */
export interface CostAndError {
  readonly l0: number;
  readonly mse: number;
}

/** The points that no other point beats: none has both at most their L0 and at most their MSE, one of them lower. By ascending L0. */
export function paretoFront<Point extends CostAndError>(points: readonly Point[]): Point[] {
  const front: Point[] = [];
  const byCost = points.toSorted((a, b) => a.l0 - b.l0 || a.mse - b.mse);
  for (const point of byCost) {
    const last = front[front.length - 1];
    const equals = last !== undefined && last.l0 === point.l0 && last.mse === point.mse;
    if (last === undefined || point.mse < last.mse || equals) front.push(point);
  }
  return front;
}

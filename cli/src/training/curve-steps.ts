const POINTS = 200;

/** Whether a step is always logged, and drawn: the first, the last, and about two hundred between them, at equal distances. */
export function isCurveStep(step: number, steps: number): boolean {
  const stride = Math.max(1, Math.round(steps / POINTS));
  return step === 1 || step === steps || step % stride === 0;
}

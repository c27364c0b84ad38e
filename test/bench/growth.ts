// How a cost grows with what it depends on.

import { findMedian } from "./compare.ts";

export interface Sample {
  readonly x: number;
  readonly y: number;
}

export interface CurvePoint {
  readonly x: number;
  readonly median: number;
  readonly least: number;
  readonly most: number;
}

/** One point for each x, in order. */
export function summarize(samples: readonly Sample[]): CurvePoint[] {
  const points = [...Map.groupBy(samples, ({ x }) => x)].map(([x, list]) => {
    const ys = list.map(({ y }) => y);
    return { x, median: findMedian(ys), least: Math.min(...ys), most: Math.max(...ys) };
  });
  return points.toSorted((a, b) => a.x - b.x);
}

export interface Growth {
  /** What one more costs up to the last point but one, and from there on; undefined with less than three points. */
  readonly below: number | undefined;
  readonly top: number | undefined;
  readonly verdict: "flat" | "linear or better" | "worse than linear" | "too few points";
}

/** Of the least, over the whole curve: less than this is no growth. */
const flat = 0.25;
/** So much more may the last ones cost than those before: measurements scatter. */
const slack = 1.5;

/** A quadratic cost makes the last ones at least twice as dear as those before, where x doubles or more. */
export function judgeGrowth(points: readonly CurvePoint[]): Growth {
  const [first, before, last] = [points[0], points.at(-2), points.at(-1)];
  if (points.length < 3 || first === undefined || before === undefined || last === undefined)
    return { below: undefined, top: undefined, verdict: "too few points" };
  const [below, top] = [slope(first, before), slope(before, last)];
  const medians = points.map(({ median }) => median);
  const isFlat = Math.max(...medians) <= Math.min(...medians) * (1 + flat);
  return { below, top, verdict: isFlat ? "flat" : top <= below * slack ? "linear or better" : "worse than linear" };
}

const slope = (a: CurvePoint, b: CurvePoint): number => (b.median - a.median) / (b.x - a.x);

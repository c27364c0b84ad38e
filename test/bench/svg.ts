// Curves as a picture: a row for each, time on the left and memory on the right.

import type { CurvePoint } from "./growth.ts";

export interface Plot {
  readonly title: string;
  readonly xLabel: string;
  readonly yLabel: string;
  readonly points: readonly CurvePoint[];
  /** A second curve, dashed, with its name; the first one's name is the label of the axis. */
  readonly second?: { readonly name: string; readonly points: readonly CurvePoint[] };
  /** A line that the curve is to stay below. */
  readonly limit?: number;
}

const [width, height] = [440, 230];
const margin = { left: 58, right: 16, top: 34, bottom: 42 };
const [plotWidth, plotHeight] = [width - margin.left - margin.right, height - margin.top - margin.bottom];

/** Plots in rows of two. Both axes of each begin at 0 and are linear, so that a linear cost is a straight line. */
export function drawPlots(plots: readonly Plot[]): string {
  const rows = Math.ceil(plots.length / 2);
  const [allWidth, allHeight] = [2 * width, rows * height];
  const drawn = plots.map(
    (plot, number) => `<g transform="translate(${(number % 2) * width} ${Math.floor(number / 2) * height})">\n${draw(plot)}\n</g>`,
  );
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" width="${allWidth}" height="${allHeight}" viewBox="0 0 ${allWidth} ${allHeight}" font-family="sans-serif" font-size="11">`,
    `<rect width="${allWidth}" height="${allHeight}" fill="#fff"/>`,
    ...drawn,
    "</svg>\n",
  ].join("\n");
}

function draw({ title, xLabel, yLabel, points, second, limit }: Plot): string {
  const others = second?.points ?? [];
  const xTicks = chooseTicks(Math.max(...points.map(({ x }) => x)));
  const yTicks = chooseTicks(Math.max(limit ?? 0, ...[...points, ...others].map(({ most }) => most)));
  const [xMost, yMost] = [xTicks.at(-1) ?? 1, yTicks.at(-1) ?? 1];
  const left = (x: number) => round(margin.left + (x / xMost) * plotWidth);
  const top = (y: number) => round(margin.top + plotHeight - (y / yMost) * plotHeight);
  const [bottom, right] = [top(0), left(xMost)];
  const line = (x1: number, y1: number, x2: number, y2: number, style: string) => `<path d="M${x1} ${y1}L${x2} ${y2}" ${style}/>`;
  const text = (x: number, y: number, words: string, style = 'text-anchor="middle"') =>
    `<text x="${x}" y="${y}" fill="#333" ${style}>${escapeText(words)}</text>`;
  const pathOf = (list: readonly CurvePoint[]) =>
    list.map(({ x, median }, number) => `${number === 0 ? "M" : "L"}${left(x)} ${top(median)}`).join("");
  const last = others.at(-1);
  return [
    text(margin.left, 20, title, 'font-weight="bold"'),
    ...yTicks.map((y) => line(margin.left, top(y), right, top(y), 'stroke="#ddd"')),
    ...yTicks.map((y) => text(margin.left - 6, top(y) + 4, showNumber(y), 'text-anchor="end"')),
    ...xTicks.map((x) => text(left(x), bottom + 16, showNumber(x))),
    line(margin.left, bottom, right, bottom, 'stroke="#333"'),
    text(margin.left + plotWidth / 2, height - 10, xLabel),
    `<text transform="translate(14 ${margin.top + plotHeight / 2}) rotate(-90)" fill="#333" text-anchor="middle">${escapeText(yLabel)}</text>`,
    ...(limit === undefined ? [] : [line(margin.left, top(limit), right, top(limit), 'stroke="#c33" stroke-dasharray="5 4"')]),
    ...points.map(({ x, least, most }) => line(left(x), top(least), left(x), top(most), 'stroke="#1667b0" stroke-width="1"')),
    `<path d="${pathOf(others)}" fill="none" stroke="#888" stroke-width="1.5" stroke-dasharray="2 3"/>`,
    ...(second === undefined || last === undefined
      ? []
      : [text(left(last.x) - 4, top(last.median) - 7, second.name, 'text-anchor="end" fill-opacity="0.7"')]),
    `<path d="${pathOf(points)}" fill="none" stroke="#1667b0" stroke-width="2"/>`,
    ...points.map(({ x, median }) => `<circle cx="${left(x)}" cy="${top(median)}" r="3" fill="#1667b0"/>`),
  ].join("\n");
}

const round = (pixels: number): number => Math.round(pixels * 10) / 10;
const escapeText = (words: string): string => words.replaceAll("&", "&amp;").replaceAll("<", "&lt;");

/** From 0 to at least `most`, in steps of 1, 2 or 5 times a power of ten. */
export function chooseTicks(most: number): number[] {
  const rough = Math.max(most, 1e-9) / 4;
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = [1, 2, 5, 10].map((factor) => factor * power).find((one) => one >= rough) ?? power;
  return Array.from({ length: Math.ceil(most / step - 1e-9) + 1 }, (_, number) => Number((number * step).toPrecision(12)));
}

/** 200000 is `200 k`. */
function showNumber(value: number): string {
  return value >= 10_000 ? `${value / 1000} k` : String(value);
}

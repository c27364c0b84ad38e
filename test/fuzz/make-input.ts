// Makes the inputs of a campaign, each from the seed and its number alone.

import { type Input, mostCharacters, type Piece } from "./input.ts";
import { Random } from "./random.ts";
import type { Target } from "./target.ts";

export function makeInput(targets: readonly Target[], seed: number, number: number): { readonly target: Target; readonly input: Input } {
  const random = new Random(seed, number);
  const target = random.pick(targets.flatMap((one) => Array.from({ length: one.weight }, () => one)));
  return { target, input: grow(target.name, target.make(random), random) };
}

/** The text as it is, or with one or two parts of it repeated. */
function grow(target: string, text: string, random: Random): Input {
  const whole = text.slice(0, mostCharacters);
  if (whole === "" || !random.once(40)) return { target, pieces: [{ text: whole, grows: false }], times: 1 };
  const pieces = random.once(2) ? cut(whole, random) : cutTwice(whole, random);
  const growing = pieces.reduce((sum, piece) => sum + (piece.grows ? piece.text.length : 0), 0);
  return { target, pieces, times: Math.max(1, Math.floor(mostCharacters / growing)) };
}

/** A few characters, or a whole line. */
function cut(text: string, random: Random): Piece[] {
  const at = random.below(text.length);
  const isLine = random.once(3);
  const start = isLine && at > 0 ? text.lastIndexOf("\n", at - 1) + 1 : at;
  const end = isLine ? text.indexOf("\n", at) + 1 || text.length : Math.min(text.length, at + 1 + random.few(24));
  return [
    { text: text.slice(0, start), grows: false },
    { text: text.slice(start, end), grows: true },
    { text: text.slice(end), grows: false },
  ];
}

/** What opens and what closes, or a pattern and what it matches. */
function cutTwice(text: string, random: Random): Piece[] {
  const middle = random.below(text.length);
  return [...(middle === 0 ? [] : cut(text.slice(0, middle), random)), ...cut(text.slice(middle), random)];
}

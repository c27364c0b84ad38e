// Makes an input smaller for as long as the same thing stays wrong with it.

import { type Input, type Piece, textOf } from "./input.ts";
import type { Verdict } from "./judge.ts";

/** The verdict on the smallest input that was found before `isLate`. */
export async function shrink(
  found: Verdict,
  judge: (input: Input) => Promise<Verdict | undefined>,
  isLate: () => boolean,
): Promise<Verdict> {
  let best = found;
  for (let before = -1; before !== sizeOf(best.input) && !isLate(); ) {
    before = sizeOf(best.input);
    for (const smaller of candidates(() => best.input)) {
      if (isLate()) break;
      if (sizeOf(smaller) >= sizeOf(best.input)) continue;
      const verdict = await judge(smaller);
      if (verdict !== undefined && isSame(verdict, found) && sizeOf(verdict.input) < sizeOf(best.input)) best = verdict;
    }
  }
  return best;
}

/** Slow and endless are two names for one thing, and a law is known by its name. */
function isSame(a: Verdict, b: Verdict): boolean {
  const kind = (verdict: Verdict) => (verdict.kind === "hang" ? "slow" : verdict.kind);
  const start = (verdict: Verdict) => (kind(verdict) === "slow" ? "" : verdict.message.split(/[:\n]/)[0]);
  return kind(a) === kind(b) && start(a) === start(b);
}

/** Length counts, and what is repeated counts as often as it stands there; nothing that grows is simplest. */
function sizeOf(input: Input): number {
  return textOf(input).length + input.pieces.length;
}

/** Ever smaller parts are left out, from the end; `current` gives what is left after each. */
function* candidates(current: () => Input): Generator<Input> {
  yield { ...current(), times: Math.floor(current().times / 2) };
  for (let index = 0; index < current().pieces.length; index++) {
    for (let length = current().pieces[index]?.text.length ?? 0; length > 0; length = Math.floor(length / 2)) {
      for (let at = (current().pieces[index]?.text.length ?? 0) - length; at >= 0; at -= length) {
        const piece = current().pieces[index];
        if (piece !== undefined)
          yield replace(current(), index, { ...piece, text: piece.text.slice(0, at) + piece.text.slice(at + length) });
      }
    }
  }
}

function replace(input: Input, index: number, piece: Piece): Input {
  return { ...input, pieces: input.pieces.map((old, i) => (i === index ? piece : old)) };
}

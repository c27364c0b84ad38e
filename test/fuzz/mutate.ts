// Changes a text here and there.

import type { Random } from "./random.ts";

/** Some small changes: parts left out, doubled, moved, taken from another text, or tokens put in. */
export function mutate(text: string, others: readonly string[], tokens: readonly string[], random: Random): string {
  let changed = text;
  for (let left = 1 + random.few(6); left > 0; left--) changed = mutateOnce(changed, others, tokens, random);
  return changed;
}

function mutateOnce(text: string, others: readonly string[], tokens: readonly string[], random: Random): string {
  const at = random.below(text.length + 1);
  const end = Math.min(text.length, at + random.few(random.once(4) ? 200 : 8));
  const [before, part, after] = [text.slice(0, at), text.slice(at, end), text.slice(end)];
  switch (random.below(8)) {
    case 0:
      return before + after;
    case 1:
      return before + part + part + after;
    case 2:
      return after + part + before;
    case 3:
      return before + partOf(random.pick(others), random) + after;
    case 4:
      return text.slice(0, end);
    case 5:
      return before + String.fromCharCode(random.below(random.once(8) ? 0x10000 : 0x80)) + text.slice(at);
    default:
      return before + random.pick(tokens) + (random.once(2) ? after : part + after);
  }
}

function partOf(text: string, random: Random): string {
  const start = random.below(text.length + 1);
  return text.slice(start, start + random.few(80));
}

// Targets that are wrong on purpose, by which the fuzzer shows that it finds what it looks for.

import type { Random } from "./random.ts";
import { holds, type Target } from "./target.ts";

function makeText(random: Random): string {
  return random.some(30, () => random.pick([..."abcde"]));
}

function broken(name: string, run: (text: string) => void): Target {
  return { name, weight: 1, make: makeText, run };
}

function nest(text: string): number {
  return text === "" ? 0 : 1 + nest(text.slice(1));
}

export const targets: readonly Target[] = [
  broken("sound", (text) => void text.length),
  broken("crash", (text) => {
    if (/a.*b/.test(text)) throw new TypeError("a and b cannot be borne");
  }),
  broken("violation", (text) => holds("there is no c", !text.includes("c"))),
  broken("deep", (text) => void nest(text)),
  broken("exponential", (text) => void /^([a-d]|[a-e])*!$/.test(text)),
  broken("cubic", (text) => {
    let same = 0;
    for (const a of text) for (const b of text) for (const c of text) if (a === b && b === c) same++;
    holds("letters are counted", same >= 0);
  }),
  broken("endless", (text) => {
    for (let at = 0; at < text.length; at += text[at] === "d" ? 0 : 1);
  }),
  broken("greedy", (text) => {
    const kept: number[][] = [];
    for (let i = 0; text.includes("ee"); i++) kept.push(new Array(1_000_000).fill(i));
  }),
];

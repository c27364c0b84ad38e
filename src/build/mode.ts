// The modes of --chmod: octal, or symbolic as chmod(1) writes them.

import { LineError } from "../dockerfile/dockerfile.ts";

/** Data, so that plans can be compared: a fixed mode, or clauses that change the mode a file has. */
export type ModeChange = { readonly octal: number } | { readonly clauses: readonly ModeClause[] };

/** `go+rX`: for whom, how, what. */
export interface ModeClause {
  /** Of `u`, `g`, `o`. */
  readonly who: string;
  readonly operator: "+" | "-" | "=";
  /** Of `rwxXst`, or one of `ugo` to copy from. */
  readonly what: string;
}

const shifts: Readonly<Record<string, number>> = { u: 6, g: 3, o: 0 };
const bits: Readonly<Record<string, number>> = { r: 4, w: 2, x: 1 };

/** Reads a `--chmod` value; throws a LineError in BuildKit's words. */
export function readModeChange(text: string): ModeChange {
  if (/^[0-7]+$/.test(text) && Number.parseInt(text, 8) <= 0o7777) return { octal: Number.parseInt(text, 8) };
  const clauses: ModeClause[] = [];
  for (const part of text.split(",")) {
    const match = /^([ugoa]*)((?:[-+=](?:[rwxXst]*|[ugo]))+)$/.exec(part);
    if (match === null || /^\d/.test(text))
      throw new LineError(`invalid chmod parameter: '${text}'. it should be octal string and between 0 and 07777`);
    const [, who = "", actions = ""] = match;
    const everyone = who === "" || who.includes("a") ? "ugo" : who;
    for (const [, operator, what = ""] of actions.matchAll(/([-+=])([rwxXst]+|[ugo])?/g))
      clauses.push({ who: everyone, operator: operator as ModeClause["operator"], what });
  }
  return { clauses };
}

/** The mode of a file or directory after the change, with a umask of 0. */
export function changeMode(change: ModeChange, mode: number, isDirectory: boolean): number {
  if ("octal" in change) return change.octal;
  return change.clauses.reduce((before, clause) => applyClause(clause, before, isDirectory), mode);
}

function applyClause({ who, operator, what }: ModeClause, mode: number, isDirectory: boolean): number {
  let wanted = 0;
  let covered = 0;
  for (const one of who) {
    const shift = shifts[one] ?? 0;
    covered |= 7 << shift;
    wanted |= permissions(what, mode, isDirectory) << shift;
    const special = one === "u" ? 0o4000 : one === "g" ? 0o2000 : 0;
    covered |= special;
    if (what.includes("s")) wanted |= special;
  }
  if (what.includes("t")) wanted |= 0o1000;
  if (who === "ugo") covered |= 0o1000;
  if (operator === "+") return mode | wanted;
  if (operator === "-") return mode & ~wanted;
  return (mode & ~covered) | wanted;
}

function permissions(what: string, mode: number, isDirectory: boolean): number {
  const copied = shifts[what];
  if (copied !== undefined) return (mode >> copied) & 7;
  const runs = what.includes("X") && (isDirectory || (mode & 0o111) !== 0) ? 1 : 0;
  return [...what].reduce((sum, letter) => sum | (bits[letter] ?? 0), runs);
}

/** As the instruction wrote it. */
export function formatMode(change: ModeChange): string {
  if ("octal" in change) return change.octal.toString(8);
  return change.clauses.map(({ who, operator, what }) => `${who}${operator}${what}`).join(",");
}

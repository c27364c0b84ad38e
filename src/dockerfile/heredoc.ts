// Here-documents: which words of a line begin one, and what is made of their bodies.

import { LineError } from "./error.ts";
import { splitWords } from "./expand.ts";

/** What `<<NAME` in a line asks for. */
export interface HeredocMark {
  /** The line that ends the body. */
  readonly name: string;
  /** The file descriptor before the `<<`; 0 where none stands. */
  readonly descriptor: number;
  /** No part of the name was quoted: variables in the body are replaced. */
  readonly expand: boolean;
  /** `<<-`: tabs at the beginning of lines are left out. */
  readonly chomp: boolean;
}

/** `content` as it stands in the file, each line with its line end. */
export interface Heredoc extends HeredocMark {
  readonly content: string;
}

/** Reads a word as `<<NAME`; undefined when it is something else, a LineError when its quotes do not match. */
function readHeredocMark(word: string): HeredocMark | undefined {
  const sign = /^(\d*)<<(-?)[\t\n\f\r ]*/.exec(word);
  const rest = sign ? word.slice(sign[0].length) : "";
  if (!sign || rest === "" || rest.includes("<")) return undefined;
  const bare = splitWords(rest, {});
  const [name] = bare;
  if (name === undefined || bare.length !== 1) return undefined;
  const quoted = splitWords(rest, { keepQuotes: true });
  if (quoted.length !== 1) throw new LineError(`internal lexing of heredoc produced inconsistent results: ${rest}`);
  return { name, descriptor: Number(sign[1] ?? 0), expand: countQuotes(name) === countQuotes(quoted[0] ?? ""), chomp: sign[2] === "-" };
}

/** The same, with undefined in place of an error. */
export function findHeredocMark(word: string): HeredocMark | undefined {
  try {
    return readHeredocMark(word);
  } catch (error) {
    if (error instanceof LineError) return undefined;
    throw error;
  }
}

/** The heredocs that a line begins, in order; a line that is no shell text for us begins none. */
export function findHeredocs(line: string): HeredocMark[] {
  let words: string[];
  try {
    words = splitWords(line, { keepQuotes: true, keepEscapes: true });
  } catch (error) {
    if (error instanceof LineError) return [];
    throw error;
  }
  return words.map(readHeredocMark).filter((mark) => mark !== undefined);
}

/** A body as a reader of it gets it: after `<<-` without the tabs at the beginning of its lines. */
export function heredocBody(heredoc: Heredoc): string {
  return heredoc.chomp ? heredoc.content.replace(/^\t+/gm, "") : heredoc.content;
}

function countQuotes(text: string): number {
  return text.split(/['"]/).length - 1;
}

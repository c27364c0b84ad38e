// Where something stands in a Dockerfile, and how a mistake there is told.

/** 1-based; columns count UTF-16 units. */
export interface Position {
  readonly line: number;
  readonly column: number;
}

/** `end` is just after the last character. */
export interface Range {
  readonly start: Position;
  readonly end: Position;
}

/** What of an instruction is meant, where it is not the whole. */
export interface Part {
  /** `source`: an argument that is no heredoc; `heredoc`: a body; absent: whatever has `inner` in it. */
  readonly of?: "word" | "flag" | "argument" | "source" | "last argument" | "arguments" | "heredoc";
  /** An argument, `--name` or `--name=value` as it is written, or the name of a heredoc. */
  readonly text?: string;
  /** Of arguments and sources, from 0. */
  readonly index?: number;
  /** Of flags with one name the last. */
  readonly isLast?: boolean;
  /** What in it. */
  readonly inner?: string;
  /** Where `inner` begins, of a flag in its value. */
  readonly at?: number;
}

/** A mistake in a line or a word, told by code that does not know where in the file it is. */
export class LineError extends SyntaxError {
  readonly hint: string | undefined;
  /** As far as it is known; `within` adds to it. */
  part: Part;
  constructor(reason: string, hint?: string, part: Part = {}) {
    super(reason);
    this.name = "LineError";
    this.hint = hint;
    this.part = part;
  }
}

/** Runs `action`; a LineError that it throws is one of this part, if it does not say of what it is. */
export function within<T>(part: Part, action: () => T): T {
  try {
    return action();
  } catch (error) {
    if (error instanceof LineError && error.part.of === undefined) error.part = { ...part, ...error.part };
    throw error;
  }
}

/**
 * A Dockerfile that cannot be built as it is written. The message is `FILE:LINE:COLUMN: REASON (HINT)`; `reason` is in BuildKit's words
 * where BuildKit has some.
 */
export class DockerfileError extends SyntaxError {
  readonly file: string;
  /** What is wrong. */
  readonly range: Range;
  /** The instruction that it stands in. */
  readonly instruction: Range;
  readonly reason: string;
  /** What to do about it, such as `did you mean RUN?`. */
  readonly hint: string | undefined;

  constructor(reason: string, where: { file: string; range: Range; instruction?: Range; hint?: string | undefined; cause?: unknown }) {
    const hint = where.hint === undefined ? "" : ` (${where.hint})`;
    const { line, column } = where.range.start;
    super(`${where.file}:${line}:${column}: ${reason}${hint}`, { cause: where.cause });
    this.name = "DockerfileError";
    this.file = where.file;
    this.range = where.range;
    this.instruction = where.instruction ?? where.range;
    this.reason = reason;
    this.hint = where.hint;
  }
}

/** A range over whole lines where columns are not known. */
export function lineRange(first: number, last = first): Range {
  return { start: { line: first, column: 1 }, end: { line: last, column: 1 } };
}

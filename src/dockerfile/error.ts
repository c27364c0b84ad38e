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

/** A mistake in a line or a word, told by code that does not know where in the file it is. */
export class LineError extends SyntaxError {
  readonly hint: string | undefined;
  constructor(reason: string, hint?: string) {
    super(reason);
    this.name = "LineError";
    this.hint = hint;
  }
}

/**
 * A Dockerfile that cannot be built as it is written. The message is `FILE:LINE: REASON (HINT)`; `reason` is in BuildKit's words
 * where BuildKit has some.
 */
export class DockerfileError extends SyntaxError {
  readonly file: string;
  readonly range: Range;
  readonly reason: string;
  /** What to do about it, such as `did you mean RUN?`. */
  readonly hint: string | undefined;

  constructor(reason: string, where: { file: string; range: Range; hint?: string | undefined; cause?: unknown }) {
    const hint = where.hint === undefined ? "" : ` (${where.hint})`;
    super(`${where.file}:${where.range.start.line}: ${reason}${hint}`, { cause: where.cause });
    this.name = "DockerfileError";
    this.file = where.file;
    this.range = where.range;
    this.reason = reason;
    this.hint = where.hint;
  }
}

/** Runs `action`; a LineError it throws becomes a DockerfileError at the given place. */
export function locateErrors<T>(where: { file: string; range: Range }, action: () => T): T {
  try {
    return action();
  } catch (error) {
    if (!(error instanceof LineError)) throw error;
    throw new DockerfileError(error.message, { ...where, hint: error.hint, cause: error });
  }
}

/** A range over whole lines where columns are not known. */
export function lineRange(first: number, last = first): Range {
  return { start: { line: first, column: 1 }, end: { line: last, column: 1 } };
}

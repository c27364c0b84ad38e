// What a target is given: text, parts of which may be repeated to see how time grows.

/** The text is the pieces in order, those that grow repeated, and half characters replaced as in any file that is read. */
export interface Input {
  readonly target: string;
  readonly pieces: readonly Piece[];
  readonly times: number;
}

export interface Piece {
  readonly text: string;
  readonly grows: boolean;
}

/** Longer ones are cut; the time that is allowed grows with the square of it. */
export const mostCharacters = 12_000;

export function textOf({ pieces, times }: Input): string {
  return pieces
    .map(({ text, grows }) => (grows ? text.repeat(times) : text))
    .join("")
    .toWellFormed();
}

/** As an expression of JavaScript. */
export function showInput({ pieces, times }: Input): string {
  const shown = pieces
    .filter(({ text }) => text !== "")
    .map(({ text, grows }) => `${JSON.stringify(text)}${grows ? `.repeat(${times})` : ""}`);
  return shown.join(" + ") || '""';
}

/** The sizes at which an input is tried: doubled up to its own, or until it is too long. */
export function* sizesOf(input: Input): Generator<Input> {
  for (let times = 1; times < input.times; times *= 2) {
    const smaller = { ...input, times };
    if (textOf(smaller).length > mostCharacters) return;
    yield smaller;
  }
  if (textOf(input).length <= mostCharacters) yield input;
}

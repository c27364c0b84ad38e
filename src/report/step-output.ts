// Turns the raw bytes that a step's command writes into whole lines, secrets hidden.

import type { Masks } from "./redact.ts";

/** A line longer than this many characters is shown in pieces. */
const longestLine = 16_384;

/** The lines of one stream of one step. A progress line that redraws itself by carriage returns is its last state. */
export interface OutputLines {
  write(bytes: Uint8Array): string[];
  /** The last line, where it has no newline. */
  end(): string[];
}

export function openOutputLines(masks: Masks): OutputLines {
  const decoder = new TextDecoder();
  const redaction = masks.openStream();
  let rest = "";
  const take = (text: string): string[] => {
    const lines = (rest + text).split("\n");
    rest = lines.pop() ?? "";
    const found = lines.flatMap((line) => cutLine(lastState(line)));
    if (rest.length > longestLine) {
      const pieces = cutLine(lastState(rest));
      rest = pieces.pop() ?? "";
      found.push(...pieces);
    }
    return found;
  };
  return {
    write: (bytes) => take(redaction.write(decoder.decode(bytes, { stream: true }))),
    end() {
      const lines = take(redaction.write(decoder.decode()) + redaction.end());
      const last = cutLine(lastState(rest));
      const unfinished = rest !== "";
      rest = "";
      return unfinished ? [...lines, ...last] : lines;
    },
  };
}

function lastState(line: string): string {
  return line.split("\r").findLast((state) => state !== "") ?? "";
}

function cutLine(line: string): string[] {
  const pieces: string[] = [];
  let rest = line;
  while (rest.length > longestLine) {
    const cutsPair = /[\ud800-\udbff]/.test(rest.charAt(longestLine - 1));
    const end = cutsPair ? longestLine - 1 : longestLine;
    pieces.push(rest.slice(0, end));
    rest = rest.slice(end);
  }
  return [...pieces, rest];
}

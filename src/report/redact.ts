// Hides secrets in text, in one piece or as it streams by, whatever the cuts between its pieces.

const maskText = "***";
/** Shorter lines of a secret of several lines are structure (`{`, `]`), not secrets. */
const shortestLine = 4;
/** Shorter encodings occur by chance in digests. */
const shortestEncoding = 8;

/** A set of texts to hide. */
export interface Masks {
  /** Hides the text from now on: each of its lines, and their Base64, URL and JSON spellings. Blank text is no secret. */
  add(secret: string): void;
  /** The text with every hidden piece, and everything that overlaps one, replaced by `***`. */
  redact(text: string): string;
  /** Redacts a text that comes in pieces; the pieces that come out, joined, are `redact` of the pieces that went in, joined. */
  openStream(): RedactionStream;
}

/** Holds back at most the length of the longest secret, and never more than the last, unfinished line. */
export interface RedactionStream {
  write(text: string): string;
  /** What was held back. */
  end(): string;
}

/** [start, end) */
type Span = readonly [number, number];

export function createMasks(): Masks {
  const needles = new Set<string>();
  let longest = 0;
  return {
    add(secret) {
      for (const needle of spellingsOf(secret)) {
        needles.add(needle);
        longest = Math.max(longest, needle.length);
      }
    },
    redact(text) {
      if (needles.size === 0) return text;
      return replaceSpans(text, findSpans(text, needles), text.length, false);
    },
    openStream() {
      let held = "";
      // Characters at the start of `held` that belong to a secret whose own start has already gone out.
      let covered = 0;
      let lastWasHidden = false;
      const take = (text: string, end: number): string => {
        const found = findSpans(text, needles);
        const spans = covered > 0 ? mergeSpans([[0, covered], ...found]) : found;
        held = text.slice(end);
        if (end === 0) return "";
        const shown = replaceSpans(text, spans, end, lastWasHidden);
        lastWasHidden = spans.some(([from, to]) => from < end && to >= end);
        covered = Math.max(0, ...spans.filter(([from]) => from < end).map(([, to]) => to - end));
        return shown;
      };
      return {
        write(piece) {
          const text = held + piece;
          return take(text, Math.max(text.lastIndexOf("\n") + 1, text.length - Math.max(0, longest - 1), 0));
        },
        end() {
          return take(held, held.length);
        },
      };
    },
  };
}

function findSpans(text: string, needles: Iterable<string>): Span[] {
  const spans: Span[] = [];
  for (const needle of needles) {
    for (let at = text.indexOf(needle); at >= 0; at = text.indexOf(needle, at + 1)) spans.push([at, at + needle.length]);
  }
  return mergeSpans(spans);
}

function mergeSpans(spans: readonly Span[]): Span[] {
  const merged: [number, number][] = [];
  for (const [from, to] of spans.toSorted((a, b) => a[0] - b[0])) {
    const last = merged.at(-1);
    if (last !== undefined && from <= last[1]) last[1] = Math.max(last[1], to);
    else merged.push([from, to]);
  }
  return merged;
}

/** `continues`: the character before the text was hidden too, so that a span at 0 needs no mask of its own. */
function replaceSpans(text: string, spans: readonly Span[], end: number, continues: boolean): string {
  let shown = "";
  let at = 0;
  for (const [from, to] of spans) {
    if (from >= end) break;
    shown += text.slice(at, from);
    if (from > 0 || !continues) shown += maskText;
    at = Math.min(to, end);
  }
  return shown + text.slice(at, end);
}

function spellingsOf(secret: string): Set<string> {
  const lines = secret
    .split(/\r\n|\r|\n/)
    .map((line) => line.trim())
    .filter((line) => line !== "");
  const telling = lines.length > 1 ? lines.filter((line) => line.length >= shortestLine) : lines;
  const found = new Set<string>();
  for (const line of telling.length > 0 ? telling : lines) {
    found.add(line);
    found.add(JSON.stringify(line).slice(1, -1));
    if (line.isWellFormed()) found.add(encodeURIComponent(line));
    for (const encoded of base64Of(line)) found.add(encoded);
  }
  if (lines.length > 1) for (const encoded of base64Of(secret)) found.add(encoded);
  return found;
}

// Base64 of `user:password` holds the password at one of three alignments; the characters at its edges mix in neighbours and are left out.
function base64Of(text: string): string[] {
  const bytes = Buffer.from(text);
  return [0, 1, 2].flatMap((shift) => {
    const encoded = Buffer.concat([Buffer.alloc(shift), bytes]).toString("base64");
    const inner = encoded.slice(Math.ceil((shift * 8) / 6), Math.floor(((shift + bytes.length) * 8) / 6));
    return inner.length < shortestEncoding ? [] : [inner, inner.replaceAll("+", "-").replaceAll("/", "_")];
  });
}

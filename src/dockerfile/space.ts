// What BuildKit, being written in Go, counts as white space: U+0085 is, U+FEFF is not, unlike JavaScript's \s.

const space = /[\t-\r \u0085\u00a0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000]/;
const spaces = new RegExp(`${space.source}+`);

/** Whether one character is white space, as Go's unicode.IsSpace says. */
export function isSpace(character: string): boolean {
  return space.test(character);
}

/** Splits at runs of white space; empty where the text is empty, begins or ends with one. */
export function splitSpaces(text: string): string[] {
  return text.split(spaces);
}

/** Without white space before the first other character. */
export function trimStart(text: string): string {
  let start = 0;
  while (start < text.length && isSpace(text.charAt(start))) start++;
  return text.slice(start);
}

/** Without white space on either side. */
export function trim(text: string): string {
  let end = text.length;
  while (end > 0 && isSpace(text.charAt(end - 1))) end--;
  return trimStart(text.slice(0, end));
}

/** Splits at runs of blanks, the way instructions are split into words; line feeds and Unicode's other spaces do not separate. */
export function splitBlanks(text: string): string[] {
  return text.split(/[\t\v\f\r ]+/);
}

/** The text before the first run of blanks and the text after it; undefined where there is no blank. */
export function cutBlanks(text: string): [string, string] | undefined {
  const found = /[\t\v\f\r ]+/.exec(text);
  return found ? [text.slice(0, found.index), text.slice(found.index + found[0].length)] : undefined;
}

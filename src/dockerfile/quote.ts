// Go's quoted strings, which BuildKit writes into history and error texts.

const named: Readonly<Record<string, string>> = {
  "\x07": "\\a",
  "\b": "\\b",
  "\f": "\\f",
  "\n": "\\n",
  "\r": "\\r",
  "\t": "\\t",
  "\v": "\\v",
  "\\": "\\\\",
  '"': '\\"',
};
const printable = /^[\p{L}\p{M}\p{N}\p{P}\p{S} ]$/u;

/** `text` in double quotes as Go's `%q` and strconv.Quote write it. */
export function quote(text: string): string {
  let out = "";
  for (const character of text)
    out += named[character] ?? (printable.test(character) ? character : escapeCode(character.codePointAt(0) ?? 0));
  return `"${out}"`;
}

/** `["a" "b"]`, Go's `%q` of a list. */
export function quoteList(texts: readonly string[]): string {
  return `[${texts.map(quote).join(" ")}]`;
}

function escapeCode(code: number): string {
  const hex = (digits: number) => code.toString(16).padStart(digits, "0");
  if (code < 0x80) return `\\x${hex(2)}`;
  return code < 0x10000 ? `\\u${hex(4)}` : `\\U${hex(8)}`;
}

// One record of comma-separated values, as `--mount` and `--device` have it.

import { LineError } from "./error.ts";

/** The fields of one record. A field that begins with a quote ends with one, and a quote in it is doubled. */
export function parseCsv(text: string, what: string): string[] {
  const line = text.replace(/\r?\n$/, "");
  const fail = (column: number, why: string) =>
    new LineError(`failed to parse csv ${what}: parse error on line 1, column ${column + 1}: ${why}`, undefined, {
      inner: line.charAt(column),
      at: column,
    });
  if (line === "") throw new LineError(`failed to parse csv ${what}: EOF`);
  const fields: string[] = [];
  let at = 0;
  for (;;) {
    if (line[at] === '"') {
      const quoted = /"((?:[^"]|"")*)"/y;
      quoted.lastIndex = at;
      const [whole, content = ""] = quoted.exec(line) ?? [];
      if (whole === undefined) throw fail(line.length, 'extraneous or missing " in quoted-field');
      fields.push(content.replaceAll('""', '"'));
      at += whole.length;
      if (at < line.length && line[at] !== ",") throw fail(at - 1, 'extraneous or missing " in quoted-field');
    } else {
      const comma = line.indexOf(",", at);
      const field = comma < 0 ? line.slice(at) : line.slice(at, comma);
      const quote = field.indexOf('"');
      if (quote >= 0) throw fail(at + quote, 'bare " in non-quoted-field');
      fields.push(field);
      at += field.length;
    }
    if (at >= line.length) return fields;
    at++;
  }
}

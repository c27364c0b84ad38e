// Reads WWW-Authenticate headers: https://www.rfc-editor.org/rfc/rfc9110#field.www-authenticate

export interface Challenge {
  /** Lower-case: `bearer`, `basic`. */
  readonly scheme: string;
  /** Names are lower-case. */
  readonly parameters: Readonly<Record<string, string>>;
}

const scanner =
  /\s*(?:,\s*)*(?:([A-Za-z0-9!#$%&'*+.^_`|~-]+)\s*=\s*(?:"((?:[^"\\]|\\.)*)"?|([^\s",]*))|([A-Za-z0-9!#$%&'*+.^_`|~-]+)(?=\s|,|$)(?!\s*=))/gy;

/** All challenges of all header lines, in order. Text that is no challenge is passed over. */
export function parseChallenges(lines: readonly string[]): readonly Challenge[] {
  return lines.flatMap(parseLine);
}

function parseLine(line: string): Challenge[] {
  const challenges: { scheme: string; parameters: Record<string, string> }[] = [];
  scanner.lastIndex = 0;
  for (let at = 0; at < line.length; at = scanner.lastIndex) {
    scanner.lastIndex = at;
    const match = scanner.exec(line);
    if (match === null) {
      scanner.lastIndex = at + 1;
      continue;
    }
    const [, name, quoted, bare, scheme] = match;
    if (scheme !== undefined) challenges.push({ scheme: scheme.toLowerCase(), parameters: {} });
    const last = challenges.at(-1);
    if (name !== undefined && last !== undefined) last.parameters[name.toLowerCase()] ??= quoted?.replace(/\\(.)/g, "$1") ?? bare ?? "";
  }
  return challenges;
}

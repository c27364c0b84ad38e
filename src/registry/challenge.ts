// Reads WWW-Authenticate headers: https://www.rfc-editor.org/rfc/rfc9110#field.www-authenticate

export interface Challenge {
  /** Lower-case: `bearer`, `basic`. */
  readonly scheme: string;
  /** Names are lower-case. */
  readonly parameters: Readonly<Record<string, string>>;
}

const separators = /[\s,]*/y;
const token = /([A-Za-z0-9!#$%&'*+.^_`|~-]+)(?:\s*=\s*(?:"((?:[^"\\]|\\.)*)"?|([^\s",]*)))?/y;

/** All challenges of all header lines, in order. Text that is no challenge is passed over. */
export function parseChallenges(lines: readonly string[]): readonly Challenge[] {
  return lines.flatMap(parseLine);
}

function parseLine(line: string): Challenge[] {
  const challenges: { scheme: string; parameters: Record<string, string> }[] = [];
  for (let at = 0; at < line.length; ) {
    separators.lastIndex = at;
    separators.exec(line);
    token.lastIndex = separators.lastIndex;
    const match = token.exec(line);
    at = match === null ? separators.lastIndex + 1 : token.lastIndex;
    if (match === null) continue;
    const [, name = "", quoted, bare] = match;
    const value = quoted?.replace(/\\(.)/g, "$1") ?? bare;
    const last = challenges.at(-1);
    if (value === undefined) challenges.push({ scheme: name.toLowerCase(), parameters: {} });
    else if (last !== undefined) last.parameters[name.toLowerCase()] ??= value;
  }
  return challenges;
}

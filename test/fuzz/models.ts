// Naive doubles of what is fuzzed: plainly right for short texts, and slow or silent for others.

/** Thrown by a model where a text is wrong. */
export class Wrong extends Error {}

type Values = (name: string) => string | undefined;

/** What a word expands to; undefined where this model knows too little. */
export function modelExpand(word: string, get: Values): string | undefined {
  if (!/^[ -~]*$/.test(word) || /\$\{(?:\w*|[@*#?\-$!])[#%/]/.test(word)) return undefined;
  let rest = word;
  const take = (pattern: RegExp) => {
    const found = pattern.exec(rest);
    if (found) rest = rest.slice(found[0].length);
    return found;
  };

  function readBraced(): string {
    const name = take(/^(?:\d+|[A-Za-z_]\w*|[@*#?\-$!]|)/)?.[0] ?? "";
    if (take(/^\}/)) {
      if (name === "") throw new Wrong();
      return get(name) ?? "";
    }
    const sign = take(/^:?[-+?]/)?.[0];
    if (sign === undefined) throw new Wrong();
    const operand = readTo("}");
    const value = get(name);
    const isGiven = value !== undefined && !(sign.startsWith(":") && value === "");
    if (sign.endsWith("-")) return isGiven ? value : operand;
    if (sign.endsWith("+")) return isGiven ? operand : "";
    if (!isGiven) throw new Wrong();
    return value;
  }

  function readVariable(): string | undefined {
    if (take(/^\$\{/)) {
      if (/^[{:]/.test(rest)) throw new Wrong();
      return readBraced();
    }
    const name = take(/^\$(\d+|[A-Za-z_]\w*|[@*#?\-$!])/)?.[1];
    return name === undefined ? undefined : (get(name) ?? "");
  }

  function readQuoted(): string {
    let text = "";
    for (;;) {
      const part = readVariable() ?? take(/^\\(["$\\])/)?.[1] ?? take(/^[^"]/)?.[0];
      if (part !== undefined) text += part;
      else if (take(/^"/)) return text;
      else throw new Wrong();
    }
  }

  function readTo(stop: string): string {
    let text = "";
    for (;;) {
      if (rest === "" && stop !== "") throw new Wrong();
      if (rest === "") return text;
      if (stop !== "" && take(new RegExp(`^\\${stop}`))) return text;
      const part = readVariable() ?? take(/^'([^']*)'/)?.[1] ?? take(/^\\(.?)/)?.[1] ?? (take(/^"/) ? readQuoted() : take(/^[^']/)?.[0]);
      if (part === undefined) throw new Wrong();
      text += part;
    }
  }

  return readTo("");
}

/** The pattern language of `${name#pattern}` as an expression for a whole text; undefined where the pattern is wrong. */
export function patternRegExp(pattern: string): RegExp | undefined {
  let expression = "";
  for (const [part] of pattern.matchAll(/\\[\s\S]?|[\s\S]/gu)) {
    if (part === "*") expression += "[^\\n]*";
    else if (part === "?") expression += "[^\\n]";
    else if (part === "\\}" || part === "\\/") expression += part;
    else if (part.startsWith("\\") && !/^\\[*?\\]$/.test(part)) return undefined;
    else expression += escapeRegExp(part.length > 1 && part.startsWith("\\") ? part.slice(1) : part);
  }
  return new RegExp(`^(?:${expression})$`, "u");
}

function escapeRegExp(text: string): string {
  return text.replace(/[\\^$.*+?()[\]{}|/]/g, "\\$&");
}

/** Go's path.Match for patterns that are well formed, by trying everything. */
export function modelGlob(pattern: string, name: string): boolean {
  if (pattern === "") return name === "";
  const [character = ""] = name;
  const rest = name.slice(character.length);
  if (pattern.startsWith("*")) return modelGlob(pattern.slice(1), name) || (name !== "" && character !== "/" && modelGlob(pattern, rest));
  if (name === "") return false;
  if (pattern.startsWith("?")) return character !== "/" && modelGlob(pattern.slice(1), rest);
  const [group, caret, members = ""] = /^\[(\^?)((?:\\[\s\S]|[^\]\\])+)\]/u.exec(pattern) ?? [];
  if (group !== undefined) {
    const ranges = [...members.matchAll(/(\\?[\s\S])(?:-(\\?[\s\S]))?/gu)].map(
      ([, low = "", high]) => [last(low), last(high ?? low)] as const,
    );
    const code = last(character);
    return ranges.some(([low, high]) => low <= code && code <= high) !== (caret === "^") && modelGlob(pattern.slice(group.length), rest);
  }
  const [written = "", literal = ""] = /^\\?([\s\S])/u.exec(pattern) ?? [];
  return literal === character && modelGlob(pattern.slice(written.length), rest);
}

function last(text: string): number {
  return text.codePointAt(text.startsWith("\\") ? 1 : 0) ?? -1;
}

/** Whether an ignore file of plain patterns hides a path; undefined where a pattern is not plain. */
export function modelIgnore(lines: readonly string[], path: string): boolean | undefined {
  const patterns = lines.map((line) => ({ keeps: line.startsWith("!"), parts: line.replace(/^!/, "").split("/") }));
  if (patterns.some(({ parts }) => parts.some((part) => part !== "**" && !/^(?:[\w.é*?]+)$/.test(part)))) return undefined;
  if (patterns.some(({ parts }) => parts.some((part) => /^\.\.?$/.test(part) || (part !== "**" && part.includes("**"))))) return undefined;
  const names = path.split("/");
  const matching = patterns.filter(({ parts }) => names.some((_, i) => matchSegments(parts, names.slice(0, i + 1))));
  return matching.at(-1)?.keeps === false;
}

/** `**` stands for any number of names, at the end for at least one. */
function matchSegments([part, ...parts]: readonly string[], names: readonly string[]): boolean {
  if (part === undefined) return names.length === 0;
  if (part === "**") return parts.length === 0 ? names.length > 0 : names.some((_, i) => matchSegments(parts, names.slice(i)));
  const [name, ...rest] = names;
  return name !== undefined && modelGlob(part, name) && matchSegments(parts, rest);
}

/** A pattern of an ignore file as moby turns it into an expression; undefined for what JavaScript has no word for. */
export function mobyRegExp(pattern: string): RegExp | undefined {
  if (!/^[ -[\]-~]+$/.test(pattern) || /\[\^?\]|\[:|\[\^?[^\]]*\[/.test(pattern) || !/[*?[\]]/.test(pattern)) return undefined;
  if (/^\*\*[^*?[\]]*$|^[^*?[\]]*\*\*$/.test(pattern)) return undefined;
  const expression = pattern.replace(/\*\*\/$|\*\*$|\*\*\/?|\*|\?|[.+()|{}$]/g, (part, at: number) => {
    if (part.startsWith("**")) return at + part.length === pattern.length ? ".*" : "(.*/)?";
    return part === "*" ? "[^/]*" : part === "?" ? "[^/]" : `\\${part}`;
  });
  try {
    return new RegExp(`^${expression}$`);
  } catch {
    return undefined;
  }
}

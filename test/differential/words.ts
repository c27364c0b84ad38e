// Makes up the words of instructions: values, variables with modifiers, quotes, labels.

import type { Random } from "./random.ts";

export const variableNames = ["A", "B", "C", "path", "V_1", "long_name"];

const values = ["x", "one", "/opt/app", "a.b.c", "1.2.3-rc1", "two words", "", "ü", "star*", "x=y", "/data/sub/", "UPPER", "a/b/a/b"];

/** A value as the builder is to read it, in some quoting. */
export function pickValue(random: Random): string {
  const value = random.weigh([
    [6, () => random.pick(values)],
    [4, () => pickVariable(random)],
    [1, () => `${pickVariable(random)}-${random.pick(values)}`],
  ])();
  return random.weigh([
    [4, () => `"${value}"`],
    [3, () => value.replaceAll(" ", "\\ ")],
    [1, () => `'${value}'`],
    [1, () => `"${value}"'${random.pick(values)}'`],
  ])();
}

/** `$A` or one of its other forms. */
export function pickVariable(random: Random, depth = 0): string {
  const name = random.pick([...variableNames, "PATH", "UNSET", "TARGETARCH"]);
  const word = () => (depth < 2 && random.chance(25) ? pickVariable(random, depth + 1) : random.pick(["w", "/d", "", "a.b"]));
  const pattern = () => random.pick(["*", "?", "a*", "*/", "*.", "/*", "o", "\\*", "*b", "1.?"]);
  return random.weigh([
    [6, () => `$${name}`],
    [6, () => `\${${name}}`],
    [3, () => `\${${name}${random.pick([":-", "-"])}${word()}}`],
    [3, () => `\${${name}${random.pick([":+", "+"])}${word()}}`],
    [2, () => `\${${name}${random.pick(["#", "##", "%", "%%"])}${pattern()}}`],
    [2, () => `\${${name}${random.pick(["/", "//"])}${pattern()}/${word()}}`],
    [1, () => `\\$${name}`],
    [1, () => `\\\${${name}}`],
  ])();
}

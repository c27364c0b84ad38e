// Checks of how a Dockerfile is written, whatever it builds: the case of its words, names of stages, comments, old forms.

import type { Tell } from "./check.ts";
import type { Dockerfile } from "./dockerfile.ts";
import type { FromInstruction, Instruction } from "./instruction.ts";
import { quote } from "./quote.ts";

export function checkWriting(dockerfile: Dockerfile, tell: Tell): void {
  const { globalArgs, stages, warnings } = dockerfile;
  const written: Instruction[] = stages.flatMap(({ from, instructions }) => [from, ...instructions]);
  for (const { message, range } of warnings) {
    const at = written.find((instruction) => instruction.range.start.line === range.start.line);
    tell("NoEmptyContinuation", { range, comments: at?.comments ?? [] }, message);
  }
  checkCasing(written, tell);
  checkStageNames(
    stages.map(({ from }) => from),
    tell,
  );
  for (const instruction of [...globalArgs, ...written]) {
    checkDescription(instruction, tell);
    if (instruction.kind === "maintainer")
      tell("MaintainerDeprecated", instruction, "Maintainer instruction is deprecated in favor of using label");
    const [, flag] = ignoresFlags(instruction) ? (/^\S+\s+(--[^\s=]+)/.exec(instruction.text) ?? []) : [];
    if (flag) tell("IgnoredFlag", instruction, `${instruction.word.toUpperCase()} takes no flags: ${flag} has no effect`);
  }
}

/** BuildKit does not read their flags, so that neither are they refused. */
function ignoresFlags({ kind, ...rest }: Instruction): boolean {
  return kind === "arg" || kind === "stopsignal" || (kind === "healthcheck" && !("command" in rest));
}

function checkCasing(written: readonly Instruction[], tell: Tell): void {
  const lower = written.filter(({ word }) => word === word.toLowerCase()).length;
  const upper = written.filter(({ word }) => word === word.toUpperCase()).length;
  const casing = lower > upper ? "lowercase" : "uppercase";
  for (const instruction of written) {
    const { word } = instruction;
    if (word === (lower > upper ? word.toLowerCase() : word.toUpperCase())) continue;
    tell("ConsistentInstructionCasing", instruction, `Command '${word}' should match the case of the command majority (${casing})`);
  }
}

function checkStageNames(froms: readonly FromInstruction[], tell: Tell): void {
  const names = new Set<string>();
  for (const from of froms) {
    if (!from.as || from.stage === undefined) continue;
    const { word, stage } = from.as;
    if (stage !== from.stage) tell("StageNameCasing", from, `Stage name '${stage}' should be lowercase`);
    // A FROM of mixed case is told of by itself.
    const sample = from.word === from.word.toLowerCase() ? word.toLowerCase() : word.toUpperCase();
    const isPlain = from.word === from.word.toLowerCase() || from.word === from.word.toUpperCase();
    if (isPlain && word !== sample) tell("FromAsCasing", from, `'${word}' and '${from.word}' keywords' casing do not match`);
    if (from.stage === "scratch" || from.stage === "context")
      tell("ReservedStageName", from, `Stage name should not use the same name as reserved stage ${quote(from.stage)}`);
    if (names.has(from.stage)) tell("DuplicateStageName", from, `Duplicate stage name ${quote(from.stage)}, stage names should be unique`);
    names.add(from.stage);
  }
}

/** The comment line directly above describes a stage or an argument, whose name it begins with. */
function checkDescription(instruction: Instruction, tell: Tell): void {
  const names =
    instruction.kind === "arg" ? instruction.args.map(({ name }) => name) : instruction.kind === "from" ? [instruction.stage] : [];
  const last = instruction.comments.at(-1);
  if (last === undefined || names[0] === undefined || names.includes(last.split(" ")[0])) return;
  const sample = names.length > 1 ? "<arg_key>" : names[0];
  const message = `Comment for ${instruction.kind.toUpperCase()} should follow the format: \`# ${sample} <description>\``;
  tell("InvalidDefinitionDescription", instruction, message);
}

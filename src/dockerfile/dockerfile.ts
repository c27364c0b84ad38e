// What a Dockerfile says: its stages and instructions, each with its place in the file, and how their words are expanded.

import { type Directive, findDirective } from "./directive.ts";
import { DockerfileError, lineRange, type Range } from "./error.ts";
import type { Escape } from "./expand.ts";
import type { ArgInstruction, FromInstruction, Instruction } from "./instruction.ts";
import { readInstruction } from "./interpret.ts";
import { locateErrors } from "./locate.ts";
import { readNodes, type Warning } from "./node.ts";
import type { Stage } from "./stage.ts";

export {
  type BaseFacts,
  type CheckFacts,
  checkDockerfile,
  type Finding,
  findBaseImages,
  findSilenced,
  formatViolation,
  type ImageFacts,
} from "./check.ts";
export { type CheckConfig, readCheckConfig } from "./check-config.ts";
export { type LateRuleName, type Rule, rules } from "./check-rules.ts";
export type { Directive } from "./directive.ts";
export { DockerfileError, LineError, type Part, type Range, within } from "./error.ts";
export { type Escape, expandBody, expandWord, expandWords, type Variables } from "./expand.ts";
export { exactFlag, flagValue } from "./flags.ts";
export { formatDockerfile } from "./format.ts";
export type { Heredoc } from "./heredoc.ts";
export type * from "./instruction.ts";
export { type Located, locateErrors, locatePart } from "./locate.ts";
export { type Mount, readMount } from "./mount.ts";
export type { Warning } from "./node.ts";
export { quoteList } from "./quote.ts";
export { readScript } from "./run.ts";
export { findBaseStage, findStage, type Stage } from "./stage.ts";
export { suggest } from "./suggest.ts";
export { parseOnbuild } from "./trigger.ts";

/** A Dockerfile, read. https://docs.docker.com/reference/dockerfile/ */
export interface Dockerfile {
  /** As it was given to the parser; error texts begin with it. */
  readonly file: string;
  /** Its text. */
  readonly source: string;
  readonly escape: Escape;
  readonly directives: { readonly syntax?: Directive; readonly escape?: Directive; readonly check?: Directive };
  /** The ARGs above the first FROM. */
  readonly globalArgs: readonly ArgInstruction[];
  /** At least one. */
  readonly stages: readonly Stage[];
  readonly warnings: readonly Warning[];
}

/** Reads a Dockerfile; bytes that are no UTF-8 are replaced. Throws a DockerfileError for text that BuildKit's parser refuses. */
export function parseDockerfile(text: string | Uint8Array, file: string): Dockerfile {
  const source = typeof text === "string" ? text : new TextDecoder("utf-8", { ignoreBOM: true }).decode(text);
  const { nodes, escape: token, directives, warnings } = readNodes(source, file);
  const globalArgs: ArgInstruction[] = [];
  const stages: { from: FromInstruction; instructions: Exclude<Instruction, FromInstruction>[] }[] = [];
  for (const node of nodes) {
    const { range } = node;
    const instruction = locateErrors({ file, source }, range, () => readInstruction(node, token));
    const stage = stages.at(-1);
    if (instruction.kind === "from") stages.push({ from: instruction, instructions: [] });
    else if (stage) stage.instructions.push(instruction);
    else if (instruction.kind === "arg") globalArgs.push(instruction);
    else throw new DockerfileError("no build stage in current context", { file, range, hint: "a FROM must come first" });
  }
  if (stages.length === 0) {
    throw new DockerfileError("dockerfile contains no stages to build", { file, range: nodes.at(-1)?.range ?? lineRange(1) });
  }
  const syntax = findDirective("syntax", source.replace(/^\uFEFF/, ""));
  const check = findDirective("check", source.replace(/^\uFEFF/, ""));
  return {
    file,
    source,
    escape: token,
    directives: { ...(syntax ? { syntax } : {}), ...(directives.escape ? { escape: directives.escape } : {}), ...(check ? { check } : {}) },
    globalArgs,
    stages: stages.map(({ from, instructions }, index) => {
      const range: Range = { start: from.range.start, end: (instructions.at(-1) ?? from).range.end };
      return { index, name: from.stage, from, instructions, range };
    }),
    warnings,
  };
}

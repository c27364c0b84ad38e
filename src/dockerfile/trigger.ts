// The instructions that ONBUILD keeps for the builds on top.

import { DockerfileError, LineError, type Range } from "./error.ts";
import type { FromInstruction, Instruction } from "./instruction.ts";
import { readInstruction } from "./interpret.ts";
import { readNodes } from "./node.ts";

/**
 * Reads the text of an ONBUILD trigger, from a Dockerfile or from a base image's configuration. `file` and `range` are where the
 * build that runs it asks for it. Throws a DockerfileError.
 */
export function parseOnbuild(text: string, file: string, range: Range): Exclude<Instruction, FromInstruction> {
  try {
    const { nodes, escape: token } = readNodes(text, file);
    const [node] = nodes;
    if (!node || nodes.length !== 1) throw new LineError("onbuild trigger should be a single expression");
    const instruction = readInstruction({ ...node, range }, token);
    if (instruction.kind === "from" || instruction.kind === "onbuild" || instruction.kind === "maintainer") {
      throw new LineError(`${instruction.kind.toUpperCase()} isn't allowed as an ONBUILD trigger`);
    }
    return instruction;
  } catch (cause) {
    if (!(cause instanceof DockerfileError || cause instanceof LineError)) throw cause;
    const reason = cause instanceof DockerfileError ? cause.reason : cause.message;
    throw new DockerfileError(`ONBUILD trigger "${text}": ${reason}`, { file, range, hint: cause.hint, cause });
  }
}

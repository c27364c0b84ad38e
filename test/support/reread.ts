// The law of the Dockerfile formatter: what is written reads back the same.

import assert from "node:assert/strict";
import { type Dockerfile, formatDockerfile, parseDockerfile } from "../../src/dockerfile/dockerfile.ts";

/** Fails where a Dockerfile that was formatted means something else, or would be formatted otherwise. */
export function assertRereads(dockerfile: Dockerfile): void {
  const formatted = formatDockerfile(dockerfile);
  const again = parseDockerfile(formatted, dockerfile.file);
  assert.deepEqual(meaning(again), meaning(dockerfile), formatted);
  assert.equal(formatDockerfile(again), formatted);
}

/** Without places, comments, and the way things happened to be written. */
function meaning({ globalArgs, stages, directives, escape: token }: Dockerfile): unknown {
  const instructions = [...globalArgs, ...stages.flatMap((stage) => [stage.from, ...stage.instructions])];
  const values = Object.values(directives).map(({ name, value }) => [name, value]);
  return {
    token,
    directives: values.filter(([name]) => name !== "escape"),
    instructions: instructions.map(({ range, text, word, comments, ...rest }) => ("as" in rest ? { ...rest, as: undefined } : rest)),
  };
}

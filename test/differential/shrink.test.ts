// That a program that differs becomes as small as what makes it differ.

import assert from "node:assert/strict";
import { test } from "node:test";
import type { ContextFile, Program } from "./program.ts";
import { shrinkProgram } from "./shrink.ts";

const file = (path: string): ContextFile => ({ kind: "file", path, text: "", mode: 0o644, time: 0 });

test("shrinkProgram keeps the words and files without which there is no difference", async () => {
  const program: Program = {
    blocks: ["ARG A=1", "FROM base AS one", "RUN a; b; c", "FROM one", "COPY --link x y /z", "ENV A=1 B=2"],
    files: [file("x"), file("y"), { kind: "hardlink", path: "h", target: "x" }],
    target: "one",
    buildArgs: { A: "2" },
    secrets: { id: "text" },
  };
  const differs = async ({ blocks, files }: Program) =>
    blocks.some((block) => /^RUN .*\bb\b/.test(block)) && files.some(({ path }) => path === "y");
  assert.deepEqual(await shrinkProgram(program, differs), {
    blocks: ["FROM", "RUN b"],
    files: [file("y")],
    buildArgs: {},
    secrets: {},
  });
});

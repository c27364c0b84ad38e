// A program kept in a folder: the Dockerfile, the rest as JSON, and what BuildKit made of it.

import { mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { Outcome } from "./outcome.ts";
import type { Program } from "./program.ts";

export interface Finding {
  readonly program: Program;
  /** Undefined where nobody has written it down yet. */
  readonly expected: Outcome | undefined;
}

export function writeFinding(folder: string, { blocks, ...rest }: Program, expected: Outcome): void {
  mkdirSync(folder, { recursive: true });
  writeFileSync(join(folder, "Dockerfile"), `${blocks.join("\n")}\n`);
  writeFileSync(join(folder, "program.json"), `${JSON.stringify(rest, undefined, 2)}\n`);
  writeFileSync(join(folder, "expected.json"), `${JSON.stringify(expected, undefined, 2)}\n`);
}

export function readFinding(folder: string): Finding {
  const read = (name: string) => readFileSync(join(folder, name), "utf8");
  const dockerfile = read("Dockerfile");
  const hasExpected = readdirSync(folder).includes("expected.json");
  return {
    program: { ...JSON.parse(read("program.json")), blocks: [dockerfile.replace(/\n$/, "")] },
    expected: hasExpected ? JSON.parse(read("expected.json")) : undefined,
  };
}

// The Dockerfile language: reading, formatting, checking and planning, all of any text.

import { makePlan, type PlanRequest } from "../../src/build/make-plan.ts";
import { showPlan } from "../../src/build/show.ts";
import {
  checkDockerfile,
  type Dockerfile,
  DockerfileError,
  findBaseImages,
  findSilenced,
  formatViolation,
  parseDockerfile,
  type Range,
  readCheckConfig,
} from "../../src/dockerfile/dockerfile.ts";
import { hostPlatform } from "../../src/image/platform.ts";
import { assertRereads } from "../support/reread.ts";
import { makeDockerfile } from "./dockerfiles.ts";
import { attempt, holds, type Target } from "./target.ts";

const facts = { buildArgs: new Map([["A", "build argument"]]), predefined: new Map([["TARGETOS", "linux"]]) };
const request: PlanRequest = {
  target: undefined,
  buildArgs: facts.buildArgs,
  labels: new Map(),
  buildContexts: new Map([["named", "/context"]]),
  platform: hostPlatform(),
  emulators: [],
  network: "default",
  allowed: [],
  uncached: { all: false, stages: [] },
};

function read(text: string): Dockerfile | undefined {
  return refuse(text, () => parseDockerfile(text, "Dockerfile"));
}

/** A refusal has its place in the file. */
function refuse<T>(text: string, action: () => T): T | undefined {
  return attempt(DockerfileError, () => {
    try {
      return action();
    } catch (error) {
      if (error instanceof DockerfileError) {
        const { range, instruction } = error;
        holdInside(text, range);
        const [from, to] = [instruction.start.line, instruction.end.line];
        holds("what is wrong lies in its instruction", from <= range.start.line && range.end.line <= Math.max(to, from));
      }
      throw error;
    }
  });
}

function holdInside(text: string, { start, end }: Range): void {
  const lines = text.replace(/^\uFEFF/, "").split("\n");
  for (const { line, column } of [start, end]) {
    holds("a place lies in the file", line >= 1 && line <= lines.length && column >= 1 && column <= (lines[line - 1]?.length ?? 0) + 1);
  }
  holds("a place begins before its end", start.line < end.line || (start.line === end.line && start.column <= end.column));
}

function holdPlaces(text: string, { globalArgs, stages, warnings }: Dockerfile): void {
  const lines = text.replace(/^\uFEFF/, "").split("\n");
  const all = [...globalArgs, ...stages.flatMap(({ from, instructions }) => [from, ...instructions])];
  for (const [i, { range, word }] of all.entries()) {
    holdInside(text, range);
    const start = lines[range.start.line - 1]?.slice(range.start.column - 1) ?? "";
    holds("an instruction begins with its word", start.startsWith(word.charAt(0)) || /^[\\`][ \t\r]*$/.test(start));
    const before = all[i - 1];
    holds("instructions stand below each other", before === undefined || before.range.end.line < range.start.line);
  }
  for (const { range } of warnings) holdInside(text, range);
}

export const dockerfileTargets: readonly Target[] = [
  {
    name: "parse",
    weight: 1,
    make: makeDockerfile,
    run: (text) => {
      const dockerfile = read(text);
      if (dockerfile) holdPlaces(text, dockerfile);
    },
  },
  {
    name: "format",
    weight: 1,
    make: makeDockerfile,
    run: (text) => {
      const dockerfile = read(text);
      if (dockerfile) assertRereads(dockerfile);
    },
  },
  {
    name: "check",
    weight: 1,
    make: makeDockerfile,
    run: (text) => {
      const dockerfile = read(text);
      const config = dockerfile && refuse(text, () => readCheckConfig(dockerfile, new Map()));
      if (!dockerfile || !config) return;
      findBaseImages(dockerfile, facts);
      findSilenced(dockerfile, config);
      const isIgnored = (source: string) => source.startsWith("a");
      const known = { ...facts, target: undefined, bases: new Map(), images: new Map(), isIgnored };
      const findings = checkDockerfile(dockerfile, config, known);
      for (const { range } of findings) holdInside(text, range);
      formatViolation(config, findings);
    },
  },
  {
    name: "plan",
    weight: 1,
    make: makeDockerfile,
    run: (text) => {
      const dockerfile = read(text);
      const made = dockerfile && refuse(text, () => makePlan(dockerfile, new Map(), request));
      if (made && "plan" in made) showPlan(made.plan);
    },
  },
];

// A conformance case: a Dockerfile, how to build it, and what BuildKit makes of it.

import { chmodSync, copyFileSync, cpSync, existsSync, mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";

/** One path of a flattened image; keys as ../shared/conformance/README.md names them. */
export interface Node {
  readonly t: string;
  readonly m: string;
  readonly o: string;
  readonly h?: string;
  readonly s?: number;
  readonly l?: string;
  readonly d?: string;
  readonly x?: Readonly<Record<string, string>>;
}
export type FlatTree = Readonly<Record<string, Node>>;

export interface ExpectedImage {
  readonly fails?: false;
  readonly base: "busybox" | "scratch";
  readonly tree: FlatTree;
  readonly removed: readonly string[];
  readonly unstable: readonly string[];
  readonly config: Readonly<Record<string, unknown>>;
}

export interface ExpectedFailure {
  readonly fails: true;
  /** BuildKit's own message. */
  readonly error: string;
}

export interface Case {
  readonly name: string;
  readonly context: string;
  readonly buildArgs: Readonly<Record<string, string>>;
  readonly target?: string;
  readonly expected: ExpectedImage | ExpectedFailure;
  /** The text of the Dockerfile, `REGISTRY/` still in it. */
  readonly dockerfile: string;
}

export function readCases(folder: string): Case[] {
  return readdirSync(join(folder, "cases"))
    .sort()
    .map((name) => {
      const read = (file: string) => readFileSync(join(folder, "cases", name, file), "utf8");
      return { name, ...JSON.parse(read("case.json")), dockerfile: read("Dockerfile") };
    });
}

export interface PreparedCase {
  readonly context: string;
  readonly dockerfile: string;
  readonly buildArgs: readonly string[];
}

/** Lays a case out below `work`, with `REGISTRY/` standing for `host`. */
export function prepareCase(test: Case, folder: string, { work, host }: { work: string; host: string }): PreparedCase {
  const context = join(work, "context");
  if (test.context === "empty") mkdirSync(context);
  else copyContext(join(folder, "contexts", test.context), context);
  const dockerfile = join(work, "Dockerfile");
  writeFileSync(dockerfile, fillRegistry(test.dockerfile, host));
  const ignore = join(folder, "cases", test.name, "Dockerfile.dockerignore");
  if (existsSync(ignore)) copyFileSync(ignore, `${dockerfile}.dockerignore`);
  return { context, dockerfile, buildArgs: Object.entries(test.buildArgs).map(([key, value]) => `${key}=${fillRegistry(value, host)}`) };
}

const fillRegistry = (text: string, host: string): string => text.replaceAll("REGISTRY/", `${host}/`);

/** The modes that the expectations were computed with, 0775, 0644 and 0755, wherever a read-only copy of the data has lost them. */
function copyContext(from: string, to: string): void {
  cpSync(from, to, { recursive: true, verbatimSymlinks: true });
  const names = ["", ...readdirSync(to, { recursive: true, encoding: "utf8" })];
  for (const name of names) {
    const path = join(to, name);
    const status = statSync(path);
    if (status.isDirectory()) chmodSync(path, 0o775);
    else chmodSync(path, status.mode & 0o100 ? 0o755 : 0o644);
  }
}

const laterFeatures: readonly (readonly [name: string, pattern: RegExp])[] = [
  ["RUN --mount", /^RUN\s+(--\S+\s+)*--mount\b/i],
  ["RUN --network", /^RUN\s+(--\S+\s+)*--network\b/i],
  ["RUN --security", /^RUN\s+(--\S+\s+)*--security\b/i],
  ["COPY --parents", /^COPY\s+(--\S+\s+)*--parents\b/i],
  ["COPY --exclude", /^COPY\s+(--\S+\s+)*--exclude\b/i],
  ["ADD --exclude", /^ADD\s+(--\S+\s+)*--exclude\b/i],
  ["COPY --link", /^(COPY|ADD)\s+(--\S+\s+)*--link\b/i],
  ["ADD of a URL", /^ADD\s+(\S+\s+)*(https?:\/\/|git@|git:|ssh:)/i],
  ["RUN heredoc", /^RUN\s.*<<-?["']?\w/i],
  ["COPY heredoc", /^(COPY|ADD)\s.*<<-?["']?\w/i],
];

/** What in a Dockerfile a builder may still refuse with "not yet supported": instructions that are no part of the core. */
export function findLaterFeatures(dockerfile: string): string[] {
  const lines = dockerfile.replaceAll(/\\\r?\n/g, " ").split(/\r?\n/);
  return laterFeatures.filter(([, pattern]) => lines.some((line) => pattern.test(line.trim()))).map(([name]) => name);
}

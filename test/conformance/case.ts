// A conformance case: a Dockerfile, how to build it, and what BuildKit makes of it.

import {
  chmodSync,
  copyFileSync,
  cpSync,
  existsSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { dirname, join } from "node:path";

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
  for (const name of strays.get(test.context) ?? []) rmSync(join(context, name), { force: true });
  const dockerfile = join(work, "Dockerfile");
  writeFileSync(dockerfile, fillRegistry(test.dockerfile, host));
  const ignore = join(folder, "cases", test.name, "Dockerfile.dockerignore");
  if (existsSync(ignore)) copyFileSync(ignore, `${dockerfile}.dockerignore`);
  return { context, dockerfile, buildArgs: Object.entries(test.buildArgs).map(([key, value]) => `${key}=${fillRegistry(value, host)}`) };
}

/** Empty files that came into a context after the expectations were computed: four cases copy the whole folder, none has the file. */
const strays: ReadonlyMap<string, readonly string[]> = new Map([["a26a01ddac", ["context/blubb"]]]);

const fillRegistry = (text: string, host: string): string => text.replaceAll("REGISTRY/", `${host}/`);

/**
 * The data reaches us with less than the expectations were computed from: without write permission, hence the modes 0775, 0644 and 0755
 * anew, and with the text of each symlink in its place.
 */
function copyContext(from: string, to: string): void {
  cpSync(from, to, { recursive: true, verbatimSymlinks: true });
  const paths = ["", ...readdirSync(to, { recursive: true, encoding: "utf8" })].map((name) => join(to, name));
  for (const path of paths) {
    const status = lstatSync(path);
    if (status.isDirectory()) chmodSync(path, 0o775);
    else if (status.isFile()) chmodSync(path, status.mode & 0o100 ? 0o755 : 0o644);
  }
  const links = paths.flatMap((path) => {
    const target = findLostLink(path, to);
    return target === undefined ? [] : [{ path, target }];
  });
  for (const { path, target } of links) {
    rmSync(path);
    symlinkSync(target, path);
  }
}

/** The text of a small file without a line end, where it names something else in the context. */
function findLostLink(path: string, context: string): string | undefined {
  const status = lstatSync(path);
  if (!status.isFile() || status.size === 0 || status.size > 255) return undefined;
  const text = readFileSync(path, "latin1");
  if (/[\n\0]/.test(text)) return undefined;
  const target = join(dirname(path), text);
  return target !== path && target.startsWith(`${context}/`) && existsSync(target) ? text : undefined;
}

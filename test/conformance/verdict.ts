// Builds one conformance case and says how it went: passed, or failed with its differences.

import { spawn } from "node:child_process";
import { chownSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { type Case, type ExpectedImage, type FlatTree, prepareCase } from "./case.ts";
import { compareConfigs, compareErrors, compareShape, compareTrees } from "./compare.ts";
import { readPushedImage } from "./pushed-image.ts";

export interface Verdict {
  readonly kind: "pass" | "fail";
  /** What differs. */
  readonly lines: readonly string[];
}

export interface Tools {
  /** The registry with the bases. */
  readonly host: string;
  /** Folder of the cases. */
  readonly data: string;
  readonly work: string;
  readonly trees: Readonly<Record<ExpectedImage["base"], FlatTree>>;
  /** Program and first arguments of the builder. */
  readonly command: readonly [string, ...string[]];
  readonly sandbox: string;
  /** Build as nobody. */
  readonly unprivileged: boolean;
  /** Build a second time, from the cache that the first build filled. */
  readonly cached: boolean;
}

const nobody = 65534;
/** No case takes longer than a few seconds; a build that hangs must not hang the run. */
const timeoutMs = 120_000;

export async function tryCase(test: Case, tools: Tools): Promise<Verdict> {
  const work = join(tools.work, test.name);
  const results = join(work, "results");
  mkdirSync(results, { recursive: true });
  if (tools.unprivileged) chownSync(results, nobody, nobody);
  const { context, dockerfile, buildArgs } = prepareCase(test, tools.data, { work, host: tools.host });
  const name = `conformance/${test.name.toLowerCase()}`;
  const digestFile = join(results, "digest");
  const build = (state: string) =>
    runBuild(tools, {
      results,
      args: [
        ...["--context", context, "--dockerfile", dockerfile, "--destination", `${tools.host}/${name}:built`],
        ...["--insecure-registry", tools.host, "--registry-mirror", tools.host],
        ...["--digest-file", digestFile, "--state-dir", join(results, state), "--sandbox", tools.sandbox],
        ...buildArgs.flatMap((argument) => ["--build-arg", argument]),
        ...(test.target === undefined ? [] : ["--target", test.target]),
        ...(tools.cached ? ["--cache-store", join(results, "cache")] : []),
      ],
    });
  const { code, log } = await build("state");
  writeFileSync(join(work, "log"), log);
  if (test.expected.fails) return judgeFailure(test.expected.error, code, log);
  if (code !== 0) return fail(`the build ended with ${code}:`, ...lastLines(log));
  try {
    const first = readFileSync(digestFile, "utf8");
    if (tools.cached) {
      const second = await build("state-2");
      const built = second.log.split("\n").filter((line) => /\] done in /.test(line));
      const digest = readFileSync(digestFile, "utf8");
      if (second.code !== 0) return fail(`the second build ended with ${second.code}:`, ...lastLines(second.log));
      if (built.length > 0) return fail("the second build did again:", ...built);
      if (digest !== first) return fail(`the second build made ${digest}, the first ${first}`);
    }
    return await judgeImage(test.expected, { name, digestFile, work, tools });
  } catch (error) {
    return fail(`what was pushed cannot be read back: ${error instanceof Error ? error.message : error}`);
  }
}

function judgeFailure(error: string, code: number | string, log: string): Verdict {
  if (code === 0) return fail(`the build should fail: BuildKit says "${error}"`);
  const lines = compareErrors(error, log);
  return lines.length === 0 ? { kind: "pass", lines } : fail(...lines, "it said:", ...lastLines(log));
}

interface Pushed {
  readonly name: string;
  readonly digestFile: string;
  readonly work: string;
  readonly tools: Tools;
}

async function judgeImage(expected: ExpectedImage, { name, digestFile, work, tools }: Pushed): Promise<Verdict> {
  const image = await readPushedImage(tools.host, name, { tag: "built", work });
  const told = readFileSync(digestFile, "utf8").trim();
  const lines = [
    ...(told === image.digest ? [] : [`the digest file says ${told}`, `the registry holds ${image.digest}`]),
    ...compareTrees(image.tree, tools.trees[expected.base], expected),
    ...compareConfigs(image.config, expected.config),
    ...compareShape(image.shape),
  ];
  return lines.length === 0 ? { kind: "pass", lines } : fail(...lines);
}

const fail = (...lines: string[]): Verdict => ({ kind: "fail", lines });

const lastLines = (log: string): string[] => log.trimEnd().split("\n").slice(-15);

/** Standard output and error together, and the exit code, or the signal that ended the build. */
function runBuild(
  { command, unprivileged }: Tools,
  { args, results }: { args: readonly string[]; results: string },
): Promise<{ code: number | string; log: string }> {
  const asNobody = ["setpriv", `--reuid=${nobody}`, `--regid=${nobody}`, "--clear-groups", "--bounding-set=-all", "--no-new-privs"];
  const [program, ...rest] = [...(unprivileged ? asNobody : []), ...command, ...args];
  const env = { PATH: process.env.PATH, HOME: results };
  const child = spawn(program ?? "", rest, { cwd: results, env, stdio: ["ignore", "pipe", "pipe"], timeout: timeoutMs });
  let log = "";
  for (const stream of [child.stdout, child.stderr]) stream.setEncoding("utf8").on("data", (text: string) => (log += text));
  return new Promise((resolve, reject) => {
    child.once("error", reject);
    child.once("close", (code, signal) => resolve({ code: code ?? signal ?? "no exit code", log }));
  });
}

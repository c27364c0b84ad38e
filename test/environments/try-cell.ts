// One cell of the table: what the battery comes to in one environment, in one sandbox.

import { chownSync, mkdirSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import type { BaseName } from "./bases.ts";
import { type Chain, parallel, readMarks, writeChain, writeParallel } from "./battery.ts";
import { findMissing, readLayers } from "./left.ts";
import { type Place, startIn, type Workshop } from "./places.ts";

export interface Tools extends Workshop {
  /** Program and arguments that build, flags follow. */
  readonly build: readonly string[];
  /** Layouts. */
  readonly bases: ReadonlyMap<BaseName, string>;
  readonly chains: readonly Chain[];
  /** The root of the executor image, for the sandbox that works there alone. */
  executor(): string;
}

export interface Cell {
  readonly environment: string;
  /** The name of a sandbox, or `auto`. */
  readonly asked: string;
  /** What was chosen; what was asked for where that was refused. */
  readonly rung: string;
  /** Why nothing was run. */
  readonly refused?: string;
  readonly passed: readonly string[];
  /** Step → what was wrong with it. */
  readonly failed: ReadonlyMap<string, string>;
  /** From Node and back; undefined where it was not measured. */
  readonly runMs: number | undefined;
}

export async function tryCell(place: Place, rung: string, tools: Tools): Promise<Cell> {
  const home = join(tools.folder, `cell-${place.name}-${rung}`);
  mkdirSync(home, { mode: 0o777 });
  try {
    return await tryIn(home, place, rung, tools);
  } finally {
    rmSync(home, { recursive: true, force: true });
  }
}

async function tryIn(home: string, place: Place, rung: string, tools: Tools): Promise<Cell> {
  const builds = openBuilds(home, place, rung, tools);
  const passed: string[] = [];
  const failed = new Map<string, string>();
  const name = { environment: place.name, asked: rung, rung };
  const first = await builds.build("parallel", writeParallel());
  const refused = /error building image: (Cannot (?:use the sandbox|run commands).*)/.exec(first.log)?.[1];
  if (refused !== undefined) return { ...name, refused, passed, failed, runMs: undefined };
  const chosen = /sandbox: ([\w-]+):/.exec(first.log)?.[1] ?? rung;
  const files = first.code === 0 ? Object.keys(await readLayers(first.layout, 0)) : [];
  if (files.length === parallel.count) passed.push(parallel.name);
  else failed.set(parallel.name, lastLines(first.log));
  for (const chain of tools.chains) await tryChain(chain, builds, passed, failed);
  return { ...name, rung: chosen, passed, failed, runMs: await builds.measure() };
}

async function tryChain(chain: Chain, builds: Builds, passed: string[], failed: Map<string, string>): Promise<void> {
  const { code, log, layout } = await builds.build(chain.name, writeChain(chain));
  const marks = readMarks(log);
  const tree = code === 0 ? await readLayers(layout, 1) : {};
  for (const { name, leaves = {} } of chain.steps) {
    const missing = findMissing(leaves, tree);
    if (marks.get(name) === undefined) failed.set(name, `not tried: ${log.trim().split("\n").at(-1)}`);
    else if (!marks.get(name)) failed.set(name, outputBefore(name, log));
    else if (missing !== undefined) failed.set(name, missing);
    else passed.push(name);
  }
}

const lastLines = (log: string): string => log.trim().split("\n").slice(-6).join("\n");

/** Of the step that failed, the end. */
function outputBefore(name: string, log: string): string {
  const before = log.slice(0, log.indexOf(` ${name}\n`)).split("\n");
  return before.slice(-8, -1).join("\n");
}

interface Built {
  readonly code: number | null;
  readonly log: string;
  readonly layout: string;
}

interface Builds {
  build(name: string, files: Readonly<Record<string, string>>): Promise<Built>;
  measure(): Promise<number | undefined>;
}

/** With the builder's image there is no other Node, and no state directory on a volume. */
function chooseImage(place: Place, rung: string, tools: Tools): string | undefined {
  return rung === "inplace" && place.isContainer ? tools.executor() : undefined;
}

const measureProgram = fileURLToPath(new URL("measure-run.ts", import.meta.url));

export function openBuilds(home: string, place: Place, rung: string, tools: Tools): Builds {
  // Builds of one user share what they have unpacked.
  const state = join(tools.folder, `state-${place.uid}`);
  for (const path of [state, home]) own(path, place.uid);
  const image = chooseImage(place, rung, tools);
  const build = image === undefined ? [...tools.build, `--state-dir=${state}`] : ["/kaniko/executor"];
  return {
    async build(name, files) {
      const [context, layout] = [join(home, name), join(home, `${name}-layout`)];
      for (const [path, text] of Object.entries(files)) {
        mkdirSync(dirname(join(context, path)), { recursive: true });
        writeFileSync(join(context, path), text);
      }
      const contexts = [...tools.bases].map(([base, path]) => `--build-context=${base}=oci-layout://${path}`);
      const outputs = ["--no-push", `--oci-layout-path=${layout}`, "--compression-level=1"];
      const flags = [`--context=${context}`, ...contexts, ...outputs, `--sandbox=${rung}`];
      const { code, err } = await startIn(place, tools, [...build, ...flags], image);
      return { code, log: err, layout };
    },
    async measure() {
      if (image !== undefined) return undefined;
      const { code, out } = await startIn(place, tools, [process.execPath, measureProgram, rung, join(home, "measured")]);
      return code === 0 ? Number(out) : undefined;
    },
  };
}

function own(path: string, uid: number): void {
  mkdirSync(path, { recursive: true, mode: 0o700 });
  chownSync(path, uid, uid);
}

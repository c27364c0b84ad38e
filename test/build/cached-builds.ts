// Builds that follow each other with one cache: what each step came to, and what was said and fetched.

import { join } from "node:path";
import type { TestContext } from "node:test";
import type { BuildResult, CacheRequest, Request } from "../../src/build/build.ts";
import { parseReference } from "../../src/image/reference.ts";
import type { Event } from "../../src/report/report.ts";
import { needsRoot } from "../sandbox/root.ts";
import { openBase } from "../sandbox/stage.ts";
import { directoryItem, fileItem, openBuilder, putBase, putLayers, temporaryDirectory } from "../support/build.ts";
import { startRegistry } from "../support/registry.ts";

export const usualCache: CacheRequest = {
  stores: [],
  readOnly: false,
  explainOnly: false,
  maxAge: 1e6,
  runLayers: true,
  copyLayers: true,
  mounts: true,
  mountsLimit: 1e9,
  secret: undefined,
  scope: "",
};

export interface Built extends BuildResult {
  /** `STEP outcome` of each step, in the order of their ends; stages apart from each other. */
  readonly outcomes: Readonly<Record<string, readonly string[]>>;
  readonly warnings: readonly string[];
  readonly notices: readonly string[];
  /** Of its commands. */
  readonly output: string;
  readonly downloaded: number;
}

export type Files = Readonly<Record<string, string>>;

/** `BASE` in the Dockerfile stands for an image with a shell, `PLAIN` for one with two files. */
export async function openCachedBuilds(t: TestContext) {
  const base = needsRoot(t) ? openBase(t) : undefined;
  if (base === undefined) return undefined;
  const registry = await startRegistry(t);
  await putLayers(registry, "base:1", [base], { Env: ["PATH=/bin:/usr/bin:/sbin"] });
  await putBase(t, registry, "plain:1", [
    [directoryItem("etc"), fileItem("etc/passwd", "app:x:7:8::/:/bin/sh\n")],
    [fileItem("etc/a", "a")],
  ]);
  const builder = await openBuilder(t);
  const directory = join(await temporaryDirectory(t), "store");
  let turn = 0;
  const build = async (
    dockerfile: string,
    files: Files = {},
    cache: Partial<CacheRequest> = {},
    more: Partial<Request> = {},
  ): Promise<Built> => {
    const fill = dockerfile.replaceAll("BASE", `${registry.host}/base:1`).replaceAll("PLAIN", `${registry.host}/plain:1`);
    builder.events.length = 0;
    turn += 1;
    const before = registry.requests.length;
    const result = await builder.build(
      { ...files, Dockerfile: fill },
      {
        cache: { ...usualCache, stores: [{ kind: "directory", path: directory, maxBytes: undefined }], ...cache },
        destinations: [parseReference(`${registry.host}/app:${turn}`)],
        ...more,
      },
    );
    return {
      ...result,
      outcomes: outcomesOf(builder.events),
      warnings: builder.events.flatMap((event) => (event.kind === "warning" ? [event.text] : [])),
      notices: builder.events.flatMap((event) => (event.kind === "notice" ? [event.text] : [])),
      output: Buffer.concat(builder.events.flatMap((event) => (event.kind === "step-output" ? [event.bytes] : []))).toString(),
      downloaded: registry.requests.slice(before).filter(({ method, path }) => method === "GET" && path.includes("/blobs/")).length,
    };
  };
  return { build, directory, registry, events: builder.events };
}

export function outcomesOf(events: readonly Event[]): Record<string, string[]> {
  const outcomes: Record<string, string[]> = {};
  for (const event of events) {
    if (event.kind !== "step-end") continue;
    outcomes[event.step.stage] ??= [];
    outcomes[event.step.stage]?.push(event.outcome);
  }
  return outcomes;
}

// Builds small Dockerfiles whose contexts and bases are written as lines, and gives what came of them: what the tests of this folder share.

import assert from "node:assert/strict";
import { mkdtempSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, type TestContext, test } from "node:test";
import { gunzipSync, gzipSync } from "node:zlib";
import type { BuildResult, Request } from "../../src/build/build.ts";
import type { ContainerConfig, ImageConfig, Layer } from "../../src/image/image.ts";
import { formatPlatform, type Platform } from "../../src/image/platform.ts";
import { parseReference } from "../../src/image/reference.ts";
import { defaultRegistryOptions } from "../../src/registry/registry.ts";
import type { Event } from "../../src/report/report.ts";
import { needsRoot } from "../sandbox/root.ts";
import { layerOf, openBase, path } from "../sandbox/stage.ts";
import { type Builder, type Owner, openBuilder, putLayers } from "../support/build.ts";
import { layerLines, pushed, tarOf } from "../support/pushed.ts";
import { startRegistry, type TestRegistry } from "../support/registry.ts";
import { itemsOfLines } from "../support/trees.ts";
import { writeLines } from "./write-lines.ts";

export interface Given {
  readonly dockerfile: string;
  /** The build context, as test/support/trees.ts writes trees; the Dockerfile comes on top. */
  readonly context?: string;
  /** What the context holds besides. */
  readonly files?: Readonly<Record<string, string | Uint8Array>>;
  readonly request?: Partial<Request>;
}

export interface Built {
  /** The bare name by which later builds find the image. */
  readonly name: string;
  readonly result: BuildResult;
  readonly image: ImageConfig;
  readonly config: ContainerConfig;
  // biome-ignore lint/suspicious/noExplicitAny: manifests are looked at field by field.
  readonly manifest: any;
  readonly warnings: readonly string[];
  /** The texts of the steps that were begun; and what became of them, in the order of their ends. */
  readonly steps: readonly string[];
  readonly outcomes: readonly string[];
  /** What commands wrote to both streams; and the same as latin1. */
  readonly output: string;
  readonly rawOutput: string;
  /** `created_by` without the comment that BuildKit puts at the end. */
  readonly history: readonly string[];
  /** A layer as lines; -1 is the last one. */
  layer(at: number): Promise<string[]>;
  /** Its archive. */
  tar(at: number): Promise<Buffer>;
}

export interface Workbench {
  registry(): TestRegistry;
  /** A directory that goes with the file of tests. */
  directory(): string;
  /** Called when the file of tests has ended. */
  readonly after: Owner["after"];
  build(given: Given): Promise<Built>;
  /** A build for several platforms: what came of each, by `linux/arm64`. */
  buildAll(given: Given): Promise<ReadonlyMap<string, Built>>;
  /** What a dry run prints. */
  plan(given: Given): Promise<string>;
  /** Has a base `shell`, busybox with its applets, or another with other layers on top; false after the test was marked as skipped. */
  shell(t: TestContext, name?: string, layers?: readonly (string | Buffer)[]): Promise<boolean>;
  /** Puts an image of layers, each as lines or as an archive, under a bare name. */
  image(name: string, layers: readonly (string | Buffer)[], config?: ContainerConfig): Promise<void>;
}

/** Without them in its base the first RUN makes them. */
export const mountPoints = "d 755 0:0 proc\nd 755 0:0 sys\nd 755 0:0 dev";

async function layerOfAny(layer: string | Buffer): Promise<Layer> {
  return layerOf(gzipSync(typeof layer === "string" ? await tarOf(itemsOfLines(layer)) : layer), "gzip");
}

/** One workbench for a file of tests; `prepare` puts the images that all of them use. */
export function openWorkbench(prepare: (bench: Workbench) => Promise<void> = async () => {}): Workbench {
  const closers: (() => unknown)[] = [];
  // What it takes is called without a test.
  const owner = { after: (close: unknown) => void closers.push(close as () => unknown) };
  let opened: { readonly registry: TestRegistry; readonly builder: Builder } | undefined;
  const use = () => {
    if (opened === undefined) throw new Error("the workbench opens before the first test");
    return opened;
  };
  let number = 0;
  const put = async (name: string, layers: readonly (Layer | Promise<Layer>)[], config: ContainerConfig): Promise<void> => {
    await putLayers(use().registry, `library/${name}`, await Promise.all(layers), config);
  };
  const start = async ({ dockerfile, context = "", files = {}, request }: Given, more: Partial<Request>): Promise<BuildResult> => {
    const { registry, builder } = use();
    const directory = mkdtempSync(join(builder.directory, "own-"));
    await writeLines(directory, context);
    for (const [name, bytes] of Object.entries({ ...files, Dockerfile: dockerfile })) writeFileSync(join(directory, name), bytes);
    const own = {
      ...{ context: directory, workingDirectory: directory },
      // Layers that commands run on are unpacked once for all builds.
      ...{ stateDir: join(builder.directory, "state"), stateIsPrivate: false },
      registry: { ...defaultRegistryOptions, map: { "index.docker.io": [registry.host] }, skipDefaultRegistryFallback: true },
    };
    return builder.build({}, { ...own, ...more, ...request });
  };
  const bench: Workbench = {
    registry: () => use().registry,
    directory: () => use().builder.directory,
    after: owner.after,
    async build(given) {
      const name = `app-${++number}`;
      const { registry, builder } = use();
      const first = builder.events.length;
      const result = await start(given, { destinations: [parseReference(`${registry.host}/library/${name}:latest`)] });
      return describeBuilt(registry, { name, result, events: builder.events.slice(first) });
    },
    async buildAll(given) {
      const { registry, builder } = use();
      const name = `app-${++number}`;
      const first = builder.events.length;
      const result = await start(given, { destinations: [parseReference(`${registry.host}/library/${name}:latest`)] });
      const index = pushed(registry, `library/${name}`, "latest") ?? assert.fail("an index was pushed");
      const entries: readonly { readonly digest: string; readonly platform: Platform }[] = index.manifest.manifests;
      const events = builder.events.slice(first);
      return new Map(
        entries.map(({ digest, platform }) => [formatPlatform(platform), describeBuilt(registry, { name, result, events, tag: digest })]),
      );
    },
    async plan(given) {
      return (await start(given, { dryRun: true })).plan ?? assert.fail("there is no plan");
    },
    async shell(t, name = "shell", layers = [mountPoints]) {
      const layer = needsRoot(t) ? openBase(t) : undefined;
      if (layer === undefined) return false;
      if (!use().registry.repositories.has(`library/${name}`))
        await put(name, [layer, ...layers.map(layerOfAny)], { Env: [path], Cmd: ["sh"] });
      return true;
    },
    image: (name, layers, config = {}) => put(name, layers.map(layerOfAny), config),
  };
  before(async () => {
    opened = { registry: await startRegistry(owner), builder: await openBuilder(owner) };
    await prepare(bench);
  });
  after(async () => {
    for (const close of closers.reverse()) await close();
  });
  return bench;
}

interface Ended {
  readonly name: string;
  readonly result: BuildResult;
  readonly events: readonly Event[];
  readonly tag?: string;
}

function describeBuilt(registry: TestRegistry, { name, result, events, tag = "latest" }: Ended): Built {
  const image = pushed(registry, `library/${name}`, tag);
  assert.ok(image, "the image was pushed");
  const { manifest, config, store } = image;
  const digestAt = (at: number): string => manifest.layers.at(at)?.digest ?? assert.fail(`the image has no layer ${at}`);
  const written = Buffer.concat(events.flatMap((event) => (event.kind === "step-output" ? [event.bytes] : [])));
  return {
    ...{ name, result, image: config, config: config.config ?? {}, manifest },
    warnings: events.flatMap((event) => (event.kind === "warning" ? [event.text] : [])),
    outcomes: events.flatMap((event) => (event.kind === "step-end" ? [event.outcome] : [])),
    steps: events.flatMap((event) => (event.kind === "step-start" ? [event.step.text] : [])),
    ...{ output: written.toString(), rawOutput: written.toString("latin1") },
    history: (config.history ?? []).map(({ created_by }) => (created_by ?? "").replace(/ # buildkit$/, "")),
    layer: (at) => layerLines(store, digestAt(at)),
    tar: async (at) => gunzipSync(store.blobs.get(digestAt(at)) ?? assert.fail("the registry lacks a layer")),
  };
}

export interface Row extends Given {
  /** Begins with the number of the edge case: `7.12 …`. */
  readonly what: string;
  /** The lines of the last layer. */
  readonly gives?: readonly string[];
  readonly fails?: RegExp;
  /** One of the warnings; or that there are none. */
  readonly warns?: RegExp | "nothing";
  /** What all commands wrote. */
  readonly says?: string;
  /** Undefined stands for what must be absent. */
  readonly config?: { readonly [key in keyof ContainerConfig]: ContainerConfig[key] | undefined };
}

/** A test for each row, skipped where it runs commands on `shell` and they cannot run here. */
export function testRows(bench: Workbench, rows: readonly Row[], context = ""): void {
  for (const row of rows)
    test(row.what, async (t) => {
      if (/^(FROM|COPY --from=)\s*shell\b/m.test(row.dockerfile) && !(await bench.shell(t))) return;
      const given = { context, ...row };
      if (row.fails !== undefined) {
        await assert.rejects(bench.build(given), row.fails);
        return;
      }
      const built = await bench.build(given);
      if (row.gives !== undefined) assert.deepEqual(await built.layer(-1), row.gives);
      if (row.says !== undefined) assert.equal(built.output.trim(), row.says);
      for (const [key, value] of Object.entries(row.config ?? {})) assert.deepEqual(Object(built.config)[key], value, key);
      if (row.warns === "nothing") assert.deepEqual(built.warnings, []);
      else if (row.warns !== undefined) assert.match(built.warnings.join("\n"), row.warns);
    });
}

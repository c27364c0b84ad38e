// Whole builds in this process against a registry in this process: what a test gives is a Dockerfile and files.

import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import type { TestContext } from "node:test";
import { type BuildResult, type BuildTools, build, type Request } from "../../src/build/build.ts";
import { type EncodedImage, encodeImage } from "../../src/image/encode.ts";
import type { ContainerConfig, ImageConfig, Layer } from "../../src/image/image.ts";
import { hostPlatform } from "../../src/image/platform.ts";
import { parseReference } from "../../src/image/reference.ts";
import type { Entry, LayerItem } from "../../src/layer/entry.ts";
import { openBlobs, writeLayer } from "../../src/layer/layer.ts";
import { defaultRegistryOptions } from "../../src/registry/registry.ts";
import type { Event } from "../../src/report/report.ts";
import type { TestRegistry } from "./registry.ts";

/** What things made for a test go with: the test, or what a file of tests shares. */
export type Owner = Pick<TestContext, "after">;

/** A directory that goes with its owner. */
export async function temporaryDirectory(test: Owner): Promise<string> {
  const directory = await mkdtemp(join(tmpdir(), "slipway-test-"));
  test.after(() => rm(directory, { recursive: true, force: true }));
  return directory;
}

export interface Builder {
  readonly directory: string;
  readonly events: Event[];
  /** Writes the files into the context, then builds `Dockerfile` from there. */
  build(
    files: Readonly<Record<string, string | Uint8Array>>,
    request?: Partial<Request>,
    signal?: AbortSignal,
    stdin?: BuildTools["stdin"],
  ): Promise<BuildResult>;
}

export async function openBuilder(test: Owner): Promise<Builder> {
  const directory = await temporaryDirectory(test);
  const events: Event[] = [];
  let number = 0;
  return {
    directory,
    events,
    async build(files, more = {}, signal = new AbortController().signal, stdin = undefined) {
      const context = join(directory, `context-${++number}`);
      await mkdir(context);
      for (const [name, text] of Object.entries(files)) {
        await mkdir(dirname(join(context, name)), { recursive: true });
        await writeFile(join(context, name), text);
      }
      const request: Request = {
        context,
        git: { branch: undefined, submodules: undefined, skipTlsVerify: false, protocol: "https", credentials: undefined },
        contextSubPath: "",
        dockerfile: "Dockerfile",
        workingDirectory: context,
        buildArgs: new Map(),
        buildContexts: new Map(),
        labels: new Map(),
        targets: [],
        secrets: new Map(),
        ssh: new Map(),
        network: "default",
        allowed: [],
        platforms: [hostPlatform()],
        uncached: { all: false, stages: [] },
        destinations: [],
        push: (more.destinations ?? []).length > 0,
        checkPushPermission: true,
        outputs: {},
        registry: { ...defaultRegistryOptions },
        reproducible: false,
        rewriteTimestamp: false,
        ignoredPaths: [],
        annotations: [],
        imageFormat: undefined,
        compression: "gzip",
        compressionLevel: undefined,
        sandbox: "auto",
        sudo: true,
        baseFolder: undefined,
        cache: undefined,
        stateDir: join(directory, `state-${number}`),
        stateIsPrivate: true,
        checkOnly: false,
        dryRun: false,
        notices: [],
        ...more,
      };
      return build(request, { report: { emit: (event) => events.push(event), mask() {} }, signal, stdin });
    },
  };
}

/** Puts a base image of real layers into the registry; `layers` are lists of items. */
export async function putBase(
  test: Owner,
  registry: TestRegistry,
  name: string,
  layers: readonly (readonly LayerItem[])[],
  config: ContainerConfig = {},
  architecture = hostPlatform().architecture,
): Promise<EncodedImage> {
  const blobs = await openBlobs(await temporaryDirectory(test));
  const written = [];
  for (const items of layers) written.push((await writeLayer(items, { blobs, compression: "gzip", helper: undefined })).layer);
  return putLayers(registry, name, written, config, architecture);
}

/** Puts a base image of layers that exist into the registry. */
export async function putLayers(
  registry: TestRegistry,
  name: string,
  written: readonly Layer[],
  config: ContainerConfig = {},
  architecture = hostPlatform().architecture,
): Promise<EncodedImage> {
  const { tag = "latest", repository } = parseReference(`${registry.host}/${name}`);
  const image: ImageConfig = {
    os: "linux",
    architecture,
    config,
    rootfs: { type: "layers", diff_ids: written.map(({ diffId }) => diffId) },
    history: written.map((_, i) => ({ created_by: `base ${i}` })),
  };
  const encoded = encodeImage({ family: "docker", config: image, layers: written });
  const store = registry.repositories.get(repository) ?? { blobs: new Map(), manifests: new Map() };
  registry.repositories.set(repository, store);
  for (const layer of written) {
    const chunks: Uint8Array[] = [];
    for await (const chunk of layer.open()) chunks.push(chunk);
    store.blobs.set(layer.descriptor.digest, Buffer.concat(chunks));
  }
  store.blobs.set(encoded.config.descriptor.digest, Buffer.from(encoded.config.bytes));
  const manifest = { type: encoded.manifest.descriptor.mediaType, bytes: Buffer.from(encoded.manifest.bytes) };
  store.manifests.set(tag, manifest).set(encoded.manifest.descriptor.digest, manifest);
  return encoded;
}

const plain = { uid: 0, gid: 0, mtime: 1000, mtimeNs: 0, link: "", devMajor: 0, devMinor: 0 };

export function fileItem(path: string, text: string, more: Partial<Entry> = {}): LayerItem {
  const bytes = Buffer.from(text);
  return { entry: { ...plain, type: "file", mode: 0o644, path, size: bytes.length, ...more }, content: { kind: "bytes", bytes } };
}

export function directoryItem(path: string, mode = 0o755): LayerItem {
  return { entry: { ...plain, type: "directory", mode, path, size: 0 } };
}

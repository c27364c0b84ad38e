// Puts base images into a directory, where later builds find them.

import { mkdir, mkdtemp } from "node:fs/promises";
import { join } from "node:path";
import { openDockerfile } from "../context/context.ts";
import { DockerfileError, expandWord, findBaseStage, parseDockerfile } from "../dockerfile/dockerfile.ts";
import type { Digest } from "../image/digest.ts";
import { type Platform, parsePlatform } from "../image/platform.ts";
import { formatReference, parseReference, type Reference, withDefaultTag } from "../image/reference.ts";
import { type BaseFolder, openBaseFolder, openRegistry, type Registry, type RegistryOptions } from "../registry/registry.ts";
import { BuildFailure, during, hintOf } from "./failure.ts";
import { evaluateGlobals } from "./globals.ts";
import type { BuildTools } from "./result.ts";

export interface WarmRequest {
  readonly images: readonly Reference[];
  /** Whose FROM lines name further images: a path from `workingDirectory`, or an address. */
  readonly dockerfile: string | undefined;
  readonly workingDirectory: string;
  readonly buildArgs: ReadonlyMap<string, string>;
  readonly platform: Platform;
  /** Absolute; made where it is missing. */
  readonly directory: string;
  /** Seconds for which an image that is there counts. */
  readonly maxAge: number;
  /** Pull also what is there. */
  readonly force: boolean;
  readonly registry: RegistryOptions;
}

/** What became of one image. */
export interface Warmed {
  /** As it was named. */
  readonly image: string;
  readonly outcome: { readonly digest: Digest; readonly isNew: boolean } | BuildFailure;
}

/** In the order in which they are named; the failure of one does not stop the others. Throws a BuildFailure where nothing can be begun. */
export async function warm(request: WarmRequest, tools: BuildTools): Promise<readonly Warmed[]> {
  const registry = openRegistry(request.registry, tools);
  try {
    await during(phase, makeDirectory(request.directory));
    const wanted = await during(phase, findWanted(request, registry, tools));
    const folder = openBaseFolder(request.directory, { ...request, ...tools });
    return await Promise.all(
      wanted.map(async ({ reference, platform }): Promise<Warmed> => {
        const image = formatReference(reference);
        try {
          return { image, outcome: await keep(reference, platform, { folder, registry, force: request.force, signal: tools.signal }) };
        } catch (error) {
          tools.signal.throwIfAborted();
          if (!(error instanceof Error)) throw error;
          return { image, outcome: new BuildFailure(error.message, { phase, hint: hintOf(error), cause: error }) };
        }
      }),
    );
  } finally {
    await registry.close();
  }
}

const phase = "warming cache";

interface Wanted {
  readonly reference: Reference;
  readonly platform: Platform;
}

async function keep(
  reference: Reference,
  platform: Platform,
  tools: { readonly folder: BaseFolder; readonly registry: Registry; readonly force: boolean; readonly signal: AbortSignal },
) {
  const { folder, registry, signal } = tools;
  const image = await registry.resolve(reference, platform, signal);
  const isNew = await folder.keep(image, { ...tools, fetch: registry.fetch });
  return { digest: image.manifestDigest, isNew };
}

/** Each image once. */
async function findWanted(request: WarmRequest, registry: Registry, { signal }: BuildTools): Promise<readonly Wanted[]> {
  const named = request.images.map((reference) => ({ reference, platform: request.platform }));
  const found = request.dockerfile === undefined ? [] : await readBases(request.dockerfile, request, registry, signal);
  const keyOf = ({ reference, platform }: Wanted) => JSON.stringify([formatReference(reference), platform]);
  const all = [...named, ...found].map((one) => ({ ...one, reference: withDefaultTag(one.reference) }));
  return [...new Map(all.map((one) => [keyOf(one), one])).values()];
}

/** The images of all FROM lines: which stages a build will need is not known here. */
async function readBases(name: string, request: WarmRequest, registry: Registry, signal: AbortSignal): Promise<readonly Wanted[]> {
  const makeDirectory = () => mkdtemp(join(request.directory, ".warming-"));
  const { text, path } = await openDockerfile(name, request.workingDirectory, {
    http: registry.http,
    secrets: new Map(),
    signal,
    makeDirectory,
  });
  try {
    const dockerfile = parseDockerfile(text, path);
    const globals = evaluateGlobals(dockerfile, { ...request, target: undefined });
    const variables = { get: (key: string) => globals.get(key), escape: dockerfile.escape };
    return dockerfile.stages.flatMap(({ from, index }): Wanted[] => {
      const image = expandWord(from.image, variables);
      if (image === "scratch" || findBaseStage(dockerfile.stages, index, image) !== undefined) return [];
      const platform = from.platform === undefined ? "" : expandWord(from.platform, variables);
      return [{ reference: parseReference(image), platform: platform === "" ? request.platform : parsePlatform(platform) }];
    });
  } catch (error) {
    if (!(error instanceof DockerfileError)) throw error;
    throw new BuildFailure(error.message, { phase, cause: error });
  }
}

async function makeDirectory(directory: string): Promise<void> {
  try {
    await mkdir(directory, { recursive: true });
  } catch (cause) {
    throw new Error(`Cannot make "${directory}": ${cause instanceof Error ? cause.message : cause}; give another with --cache-dir`, {
      cause,
    });
  }
}

// The images that FROM and COPY --from name, each asked for once.

import { createReadStream } from "node:fs";
import { type Cache, keyOf } from "../cache/cache.ts";
import { alignHistory } from "../image/encode.ts";
import type { Layer } from "../image/image.ts";
import { inheritConfig } from "../image/inherit.ts";
import { formatImageName, type ImageName } from "../image/layout.ts";
import { formatPlatform, type Platform } from "../image/platform.ts";
import { type BaseFolder, type Registry, type ResolvedImage, resolveLayout } from "../registry/registry.ts";
import type { Base } from "./plan.ts";

export type BaseImage = Omit<ResolvedImage, "reference">;

export interface Bases {
  image(reference: ImageName, platform: Platform): Promise<BaseImage>;
  /** What planning must know of it. */
  base(reference: ImageName, platform: Platform): Promise<Base>;
}

/** Bytes of a manifest and a configuration that are worth keeping. */
const maxKept = 256 << 10;

/** One name for an image and platform. */
export function baseKey(reference: ImageName, platform: Platform): string {
  return `${formatImageName(reference)} ${formatPlatform(platform)}`;
}

/** With a cache or a folder of base images, of an image that has not moved since only its digest is asked for. */
export function openBases(
  registry: Registry,
  { signal, cache, folder }: { readonly signal: AbortSignal; readonly cache: Cache | undefined; readonly folder: BaseFolder | undefined },
): Bases {
  const known = new Map<string, Promise<BaseImage>>();
  const resolve = async (reference: ImageName, platform: Platform): Promise<BaseImage> => {
    if ("directory" in reference) return resolveLayout(reference, platform);
    const inFolder = folder?.documents() ?? Promise.resolve([]);
    if (cache === undefined) return fromFolder(await registry.resolve(reference, platform, signal, inFolder));
    const key = keyOf("image", [baseKey(reference, platform)]);
    const kept = cache.findNote(key).then(readDocuments);
    const documentsAtHand = Promise.all([kept, inFolder]).then((all) => all.flat());
    const image = await registry.resolve(reference, platform, signal, documentsAtHand);
    const { manifest, config } = image.documents;
    const documents = [manifest, config].map(({ bytes }) => Buffer.from(bytes));
    const before = await kept;
    const isKnown = before.length === documents.length && before.every((bytes, i) => documents[i]?.equals(bytes));
    const size = documents.reduce((sum, bytes) => sum + bytes.length, 0);
    const texts = documents.map((bytes) => bytes.toString("base64"));
    if (!isKnown && size <= maxKept) cache.keepNote(key, texts);
    return fromFolder(image);
  };
  /** The same image, whose layers are read in the folder where it has them. */
  const fromFolder = (image: BaseImage): BaseImage =>
    folder === undefined ? image : { ...image, layers: image.layers.map((layer) => ({ ...layer, open: openIn(folder, layer, signal) })) };
  const image = (reference: ImageName, platform: Platform) => {
    const key = baseKey(reference, platform);
    const found = known.get(key) ?? resolve(reference, platform);
    known.set(key, found);
    return found;
  };
  return {
    image,
    async base(reference, platform) {
      const found = await image(reference, platform);
      return { reference, digest: found.digest, platform: found.platform, config: inheritConfig(alignHistory(found.config)) };
    },
  };
}

function openIn(folder: BaseFolder, layer: Layer, signal: AbortSignal): Layer["open"] {
  return async function* (own = signal) {
    const file = await folder.find(layer.descriptor, own);
    yield* file === undefined ? layer.open(own) : createReadStream(file, { signal: own, highWaterMark: 256 << 10 });
  };
}

function readDocuments(note: unknown): readonly Buffer[] {
  return Array.isArray(note) && note.every((text) => typeof text === "string") ? note.map((text) => Buffer.from(text, "base64")) : [];
}

// Pulls images: asks mirrors in order, remembers what it found, and lets layers come from whoever has them.

import { type BackOff, openShared } from "../http/http.ts";
import type { Digest } from "../image/digest.ts";
import { digestOf } from "../image/encode.ts";
import type { Descriptor, Layer } from "../image/image.ts";
import { formatPlatform, type Platform } from "../image/platform.ts";
import { formatReference, normalizeRegistry, type Reference, withDefaultTag } from "../image/reference.ts";
import { type Blobs, DigestMismatchError, verifyBytes } from "../layer/layer.ts";
import type { Report } from "../report/report.ts";
import { type BlobSource, readBlob } from "./blob.ts";
import type { Client } from "./client.ts";
import { downloadBlob } from "./download.ts";
import { type Place, placesOf } from "./endpoint.ts";
import { RegistryError } from "./error.ts";
import { openLimit } from "./limit.ts";
import { compressionOf } from "./manifest.ts";
import type { Registry, RegistryOptions, ResolvedImage } from "./registry.ts";
import { type FoundImage, findImage, type KnownDocuments, openDocuments } from "./resolve.ts";
import { retryWhole } from "./retry-whole.ts";
import type { Transfers } from "./transfer.ts";

export interface PullTools {
  readonly report: Report;
  readonly backOff: BackOff;
  readonly transfers: Transfers;
  client(place: Place): Client;
}

export interface Pull extends Pick<Registry, "resolve" | "layer" | "fetch"> {
  /** Repositories of a registry in which a blob was seen. */
  knownAt(registry: string, digest: Digest): readonly string[];
  /** Notes that blobs are in a place. */
  know(place: Place, digests: readonly Digest[]): void;
}

/** Requests for layer bytes at a time, over all registries. */
const downloads = 8;
/** A whole download whose digest is wrong is tried once more: memory and proxies have been seen to flip bits. */
const triesForDigest = 2;

export function openPull(options: RegistryOptions, tools: PullTools): Pull {
  const { report, backOff, transfers } = tools;
  const images = openShared<ResolvedImage>();
  const files = openShared<string>();
  const limit = openLimit(downloads);
  /** Where each blob was seen; the best source first. */
  const seen = new Map<Digest, Place[]>();

  function remember(digest: Digest, places: readonly Place[]): void {
    const known = seen.get(digest) ?? [];
    const isNew = (place: Place) =>
      !known.some(({ registry, repository }) => registry === place.registry && repository === place.repository);
    seen.set(digest, [...known, ...places.filter(isNew)]);
  }

  function sourcesOf(digest: Digest): readonly BlobSource[] {
    return (seen.get(digest) ?? []).map((place) => ({ client: tools.client(place), repository: place.repository }));
  }

  const count = (bytes: number) => transfers.count("pull", bytes);

  function layerAt(origin: Place, descriptor: Descriptor, diffId: Digest): Layer {
    const { digest } = descriptor;
    const compression = compressionOf(descriptor.mediaType, `${origin.registry}/${origin.repository}@${digest}`);
    const open = (signal?: AbortSignal) =>
      verifyBytes(
        readBlob(sourcesOf(digest), descriptor, { start: 0, end: descriptor.size }, { backOff, report, signal, count }),
        descriptor,
      );
    return { descriptor, diffId, compression, origin, open };
  }

  async function search(reference: Reference, platform: Platform, signal: AbortSignal, known: KnownDocuments): Promise<ResolvedImage> {
    const places = placesOf(reference, options);
    const failures: unknown[] = [];
    for (const [i, place] of places.entries()) {
      try {
        const found = await findImage(openDocuments(tools.client(place), place, reference, { signal, known }), reference, platform);
        if (place.registry !== reference.registry)
          report.emit({ kind: "notice", text: `${formatReference(reference)} comes from ${place.registry}/${place.repository}` });
        return assemble(reference, found, places.slice(i));
      } catch (error) {
        signal.throwIfAborted();
        if (!(error instanceof RegistryError)) throw error;
        failures.push(error);
        if (i < places.length - 1) report.emit({ kind: "warning", text: `${error.message}; asking ${places[i + 1]?.registry} instead` });
      }
    }
    throw failures.at(-1);
  }

  function assemble(reference: Reference, found: FoundImage, places: readonly Place[]): ResolvedImage {
    const { manifest, config, digest, manifestDigest, documents, platform, otherPlatform } = found;
    // Blobs are named by their content: whichever of these hosts has one has the right one.
    const [origin = { registry: reference.registry, repository: reference.repository }] = places;
    for (const descriptor of manifest.layers) remember(descriptor.digest, places);
    const layers = manifest.layers.map((descriptor, i) => layerAt(origin, descriptor, config.rootfs.diff_ids[i] as Digest));
    return { family: manifest.family, config, layers, reference, digest, manifestDigest, documents, platform, otherPlatform };
  }

  async function download(layer: Layer, blobs: Blobs, signal: AbortSignal): Promise<string> {
    const { descriptor } = layer;
    const sources = sourcesOf(descriptor.digest);
    if (sources.length === 0) return (await blobs.write(descriptor, layer.open(signal), signal)).path;
    const what = `pull layer ${descriptor.digest}`;
    return retryWhole(options.downloadRetries, what, { report, backOff, signal }, async () => {
      for (let turn = 0; ; turn++) {
        const transfer = transfers.start("pull", `${sources[0]?.client.registry}/${sources[0]?.repository}`, descriptor);
        const counted = (bytes: number) => {
          count(bytes);
          transfer.add(bytes);
        };
        try {
          const order = sources.map((_, i) => sources[(i + turn) % sources.length] as BlobSource);
          const path = await downloadBlob(order, descriptor, blobs, { backOff, report, signal, limit, count: counted });
          transfer.end("transferred");
          return path;
        } catch (error) {
          signal.throwIfAborted();
          if (!(error instanceof DigestMismatchError)) throw error;
          const names = sources.map(({ client, repository }) => `${client.registry}/${repository}`).join(", ");
          const text = `Cannot pull layer from ${names}: its bytes are wrong`;
          if (turn + 1 >= Math.max(triesForDigest, sources.length)) throw new RegistryError(text, { failure: "invalid", cause: error });
          report.emit({ kind: "warning", text: `${text} (${error.message}); reading it again` });
        }
      }
    });
  }

  return {
    resolve(given, platform, signal, documents) {
      const reference = withDefaultTag({ ...given, registry: normalizeRegistry(given.registry) });
      const key = `${formatReference(reference)} ${formatPlatform(platform)}`;
      const what = `pull ${formatReference(reference)}`;
      const known = Promise.resolve(documents ?? []).then((all) => new Map(all.map((bytes) => [digestOf(bytes), bytes])));
      return images.get(
        key,
        (own) => retryWhole(options.downloadRetries, what, { report, backOff, signal: own }, () => search(reference, platform, own, known)),
        signal,
      );
    },
    layer(origin, descriptor, diffId) {
      const place = { ...origin, registry: normalizeRegistry(origin.registry) };
      remember(descriptor.digest, [place]);
      return layerAt(place, descriptor, diffId);
    },
    async fetch(layer, blobs, signal) {
      if (layer.file !== undefined) return layer;
      const { digest } = layer.descriptor;
      if (layer.origin !== undefined) remember(digest, [{ ...layer.origin, registry: normalizeRegistry(layer.origin.registry) }]);
      const file = await files.get(
        `${blobs.directory} ${digest}`,
        async (own) => ((await blobs.has(digest)) ? blobs.path(digest) : download(layer, blobs, own)),
        signal,
      );
      return { ...layer, file, open: () => blobs.open(digest) };
    },
    know(place, digests) {
      for (const digest of digests) remember(digest, [place]);
    },
    knownAt: (registry, digest) =>
      (seen.get(digest) ?? []).filter((place) => place.registry === registry).map(({ repository }) => repository),
  };
}

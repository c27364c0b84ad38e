// One repository as a place for documents: manifests by tag, and the blobs that they name.

import type { BackOff } from "../http/http.ts";
import type { Digest } from "../image/digest.ts";
import { digestOf, type EncodedBlob } from "../image/encode.ts";
import type { Descriptor } from "../image/image.ts";
import { verifyBytes } from "../layer/layer.ts";
import type { Report } from "../report/report.ts";
import { readBlob } from "./blob.ts";
import { type Call, type Client, pullScope, pushScope } from "./client.ts";
import type { Place } from "./endpoint.ts";
import { RegistryError } from "./error.ts";
import { acceptedManifests, manifestLimit } from "./manifest.ts";
import { putManifest } from "./put-manifest.ts";
import type { Sender, SentBlob } from "./sender.ts";
import type { Transfers } from "./transfer.ts";

/** Whoever uses it can do without: no request is made more than three times. */
export interface Repository extends Place {
  /** What a tag or a digest names, to the byte; undefined where there is nothing by that name. */
  manifest(which: string, signal?: AbortSignal): Promise<Uint8Array | undefined>;
  putManifest(tag: string, manifest: EncodedBlob, signal?: AbortSignal): Promise<void>;
  /** False where the registry lets nobody delete. */
  deleteManifest(digest: Digest, signal?: AbortSignal): Promise<boolean>;
  /** All tags; none where there is no such repository. */
  tags(signal?: AbortSignal): Promise<readonly string[]>;
  /** Notes that the repository has blobs, since a manifest in it names them: they are not sent, and can be mounted elsewhere. */
  know(digests: readonly Digest[]): void;
  /** Notes that some of these blobs have gone all the same; false where none of them was taken for granted. */
  doubt(digests: readonly Digest[]): boolean;
  /** Makes sure that the repository has the blob. The bytes go to the registry once, also where an image is pushed there at the same time. */
  send(blob: SentBlob, signal?: AbortSignal): Promise<void>;
  /** A blob's bytes, verified while they are read. */
  read(blob: Pick<Descriptor, "digest" | "size">, signal?: AbortSignal): AsyncIterable<Uint8Array>;
}

export interface RepositoryTools {
  readonly client: Client;
  readonly report: Report;
  readonly backOff: BackOff;
  readonly transfers: Transfers;
  readonly sender: Sender;
  know(place: Place, digests: readonly Digest[]): void;
}

const tries = 3;
/** Of a list of tags. */
const pageLimit = 16 * 1024 * 1024;
const mostPages = 1000;

export function openRepository({ registry, repository }: Place, tools: RepositoryTools): Repository {
  const { client, report, transfers, sender } = tools;
  const backOff = { ...tools.backOff, tries };
  const held = new Set<Digest>();
  const nameOf = (which: string) => `${registry}/${repository}${which.startsWith("sha256:") ? "@" : ":"}${which}`;
  const isMissing = (error: unknown) =>
    error instanceof RegistryError && (error.failure === "not-found" || error.failure === "name-unknown");

  async function readDocument(path: string, call: Call, limit: number) {
    try {
      return await client.read(path, { ...call, tries }, limit);
    } catch (error) {
      if (isMissing(error)) return undefined;
      throw error;
    }
  }

  return {
    registry,
    repository,
    async manifest(which, signal) {
      const call: Call = { repository, scopes: [pullScope(repository)], action: `look up "${nameOf(which)}"`, signal };
      const headers = { accept: acceptedManifests };
      const found = await readDocument(`/v2/${repository}/manifests/${which}`, { ...call, headers }, manifestLimit);
      if (found === undefined) return undefined;
      const announced = found.response.header("docker-content-digest");
      const due = which.startsWith("sha256:") ? which : announced?.startsWith("sha256:") ? announced : undefined;
      const digest = digestOf(found.bytes);
      if (due === undefined || due === digest) return found.bytes;
      throw new RegistryError(`Cannot ${call.action}: ${registry} sent a manifest with the digest ${digest} instead of ${due}`, {
        failure: "invalid",
      });
    },
    putManifest: (tag, manifest, signal) =>
      putManifest({ client, repository }, { which: tag, name: nameOf(tag) }, manifest, { report, backOff, retries: 0, signal }),
    async deleteManifest(digest, signal) {
      const call: Call = { repository, scopes: [pushScope(repository)], action: `delete "${nameOf(digest)}"`, signal };
      try {
        const response = await client.send("DELETE", `/v2/${repository}/manifests/${digest}`, { ...call, tries });
        if (response.status >= 200 && response.status < 300) {
          await response.discard();
          return true;
        }
        const refusal = await client.refuse(response, call);
        if (isMissing(refusal)) return true;
        if (response.status === 405 || /\bUNSUPPORTED\b/.test(refusal.message)) return false;
        throw refusal;
      } catch (error) {
        signal?.throwIfAborted();
        throw client.wrap(error, call);
      }
    },
    async tags(signal) {
      const call: Call = { repository, scopes: [pullScope(repository)], action: `list the tags of "${registry}/${repository}"`, signal };
      const tags: string[] = [];
      let path: string | undefined = `/v2/${repository}/tags/list?n=1000`;
      for (let page = 0; path !== undefined && page < mostPages; page++) {
        const found: Awaited<ReturnType<typeof readDocument>> = await readDocument(path, call, pageLimit);
        if (found === undefined) break;
        tags.push(...readTags(found.bytes, call, registry));
        path = nextPage(found.response.header("link"), found.response.url);
      }
      return tags;
    },
    know(digests) {
      for (const digest of digests) held.add(digest);
      tools.know({ registry, repository }, digests);
    },
    doubt: (digests) => digests.filter((digest) => held.delete(digest)).length > 0,
    async send(blob, signal) {
      if (!held.has(blob.descriptor.digest)) await sender.send({ client, repository }, blob, { retries: 0, tries, signal });
    },
    async *read(blob, signal) {
      const descriptor = { mediaType: "application/octet-stream", ...blob };
      const count = (bytes: number) => transfers.count("pull", bytes);
      try {
        const bytes = readBlob([{ client, repository }], descriptor, { start: 0, end: blob.size }, { backOff, report, signal, count });
        yield* verifyBytes(bytes, blob);
      } catch (error) {
        // Manifests have been seen to outlive their blobs.
        held.delete(blob.digest);
        throw error;
      }
    },
  };
}

function readTags(bytes: Uint8Array, call: Call, registry: string): readonly string[] {
  try {
    const { tags } = JSON.parse(Buffer.from(bytes).toString("utf8")) as { tags?: unknown };
    return Array.isArray(tags) ? tags.filter((tag) => typeof tag === "string") : [];
  } catch (cause) {
    throw new RegistryError(`Cannot ${call.action}: ${registry} sent no list`, { failure: "invalid", cause });
  }
}

/** https://github.com/opencontainers/distribution-spec/blob/main/spec.md#listing-tags; an address on another host is none. */
function nextPage(link: string | undefined, from: string): string | undefined {
  const [, target] = /<([^>]*)>\s*;[^,]*\brel="?next\b/i.exec(link ?? "") ?? [];
  if (target === undefined || !URL.canParse(target, from)) return undefined;
  const next = new URL(target, from);
  return next.host === new URL(from).host ? `${next.pathname}${next.search}` : undefined;
}

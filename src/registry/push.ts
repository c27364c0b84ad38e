// Pushes an image to its destinations: blobs as soon as they are known, tags when everything else is there.

import { createReadStream } from "node:fs";
import { type BackOff, expectListeners } from "../http/http.ts";
import type { Digest } from "../image/digest.ts";
import { type EncodedBlob, isForeignLayer } from "../image/encode.ts";
import type { Layer } from "../image/image.ts";
import { formatReference, normalizeRegistry, type Reference, withDefaultTag } from "../image/reference.ts";
import type { Report } from "../report/report.ts";
import { type Call, type Client, pushScope } from "./client.ts";
import { RegistryError } from "./error.ts";
import { type Limit, openLimit } from "./limit.ts";
import { acceptedManifests } from "./manifest.ts";
import type { Push } from "./registry.ts";
import { retryWhole } from "./retry-whole.ts";
import type { Transfers } from "./transfer.ts";
import { type UploadSource, uploadBlob } from "./upload.ts";

export interface PushTools {
  readonly report: Report;
  readonly backOff: BackOff;
  readonly transfers: Transfers;
  /** Of whole pushes: `--push-retry`. */
  readonly retries: number;
  client(registry: string): Client;
  /** Repositories of a registry that are known to have a blob. */
  knownAt(registry: string, digest: Digest): readonly string[];
}

/** Uploads at a time. */
const uploads = 4;
/** Of a local file, per read. */
const readBytes = 256 * 1024;

interface Target {
  readonly client: Client;
  /** Distinct, in the order of the destinations. */
  readonly repositories: readonly string[];
}

export function openPush(destinations: readonly Reference[], tools: PushTools, outer: AbortSignal | undefined): Push {
  const wanted = destinations.map((reference) => withDefaultTag({ ...reference, registry: normalizeRegistry(reference.registry) }));
  const targets = groupByRegistry(wanted, tools);
  const stop = new AbortController();
  const forward = () => stop.abort(outer?.reason);
  if (outer?.aborted) forward();
  expectListeners(outer);
  outer?.addEventListener("abort", forward, { once: true });
  const limit = openLimit(uploads);
  const sent = new Map<Digest, Promise<void>>();
  const state = { ...tools, limit, signal: stop.signal };

  function layer(given: Layer): Promise<void> {
    const { digest, mediaType } = given.descriptor;
    if (isForeignLayer(mediaType)) return Promise.resolve();
    let coming = sent.get(digest);
    if (coming === undefined) {
      coming = sendEverywhere(targets, sourceOf(given, stop.signal), originsOf(given), state);
      sent.set(digest, coming);
      // A build that fails before `finish` never asks; a later call with a better source may try again.
      coming.catch(() => sent.delete(digest));
    }
    return coming;
  }

  const sendConfig = ({ descriptor, bytes }: EncodedBlob) =>
    sendEverywhere(targets, { descriptor, open: (offset) => once(bytes.subarray(offset)) }, [], { ...state, isDocument: true });

  return {
    layer,
    async finish({ images, top }) {
      try {
        await Promise.all(images.flatMap(({ image, config }) => [...image.layers.map(layer), sendConfig(config)]));
        const parts = images.map(({ manifest }) => manifest).filter((manifest) => manifest !== top);
        await allOrFirstFailure(parts.map((manifest) => putByDigest(wanted, manifest, state)));
        return await putManifests(wanted, top, state);
      } finally {
        outer?.removeEventListener("abort", forward);
      }
    },
    async abort() {
      outer?.removeEventListener("abort", forward);
      stop.abort(new DOMException("The push was abandoned", "AbortError"));
      await Promise.allSettled(sent.values());
    },
  };
}

type State = PushTools & { readonly limit: Limit; readonly signal: AbortSignal; readonly isDocument?: boolean };

function groupByRegistry(references: readonly Reference[], tools: PushTools): readonly Target[] {
  const registries = new Map<string, Set<string>>();
  for (const { registry, repository } of references) {
    const repositories = registries.get(registry) ?? new Set();
    registries.set(registry, repositories.add(repository));
  }
  return [...registries].map(([registry, repositories]) => ({ client: tools.client(registry), repositories: [...repositories] }));
}

/** Each registry gets the bytes once; its other repositories mount them from the first. */
async function sendEverywhere(targets: readonly Target[], source: UploadSource, origins: readonly Origin[], state: State): Promise<void> {
  await allOrFirstFailure(
    targets.map(async ({ client, repositories }) => {
      const { digest } = source.descriptor;
      const own = origins.filter(({ registry }) => registry === client.registry).map(({ repository }) => repository);
      const have = [...new Set([...own, ...state.knownAt(client.registry, digest)])];
      const [first, ...others] = repositories;
      if (first === undefined) return;
      await sendOne(client, first, source, have, state);
      await allOrFirstFailure(others.map((repository) => sendOne(client, repository, source, [first, ...have], state)));
    }),
  );
}

async function sendOne(
  client: Client,
  repository: string,
  source: UploadSource,
  mountFrom: readonly string[],
  state: State,
): Promise<void> {
  const { signal, report, backOff, transfers } = state;
  await state.limit.run(
    () =>
      retryWhole(state.retries, `push to ${client.registry}/${repository}`, { report, backOff, signal }, async () => {
        if (state.isDocument) {
          await uploadBlob({ client, repository }, source, mountFrom, { backOff, report, signal });
          return;
        }
        const transfer = transfers.start("push", `${client.registry}/${repository}`, source.descriptor);
        const count = (bytes: number) => transfers.count("push", bytes);
        transfer.end(await uploadBlob({ client, repository }, source, mountFrom, { backOff, report, signal, transfer, count }));
      }),
    signal,
  );
}

/** By digest everywhere first where there are several, so that no tag moves while another destination can still refuse the manifest. */
async function putManifests(
  references: readonly Reference[],
  manifest: EncodedBlob,
  state: State,
): Promise<readonly { reference: Reference; digest: Digest }[]> {
  const { digest } = manifest.descriptor;
  if (references.length > 1) await putByDigest(references, manifest, state);
  const tagged = references.filter(({ tag }) => tag !== undefined);
  const untagged = references.length === 1 && tagged.length === 0 ? references : [];
  const outcomes = await Promise.allSettled(
    [...tagged, ...untagged].map((reference) => putManifest(reference, reference.tag ?? digest, manifest, state)),
  );
  state.signal.throwIfAborted();
  const failed = outcomes.findIndex(({ status }) => status === "rejected");
  if (failed < 0) return references.map((reference) => ({ reference, digest }));
  const { reason } = outcomes[failed] as PromiseRejectedResult;
  const put = tagged.filter((_, i) => outcomes[i]?.status === "fulfilled").map(formatReference);
  if (put.length === 0 || !(reason instanceof RegistryError)) throw reason;
  const { failure, status, hint } = reason;
  throw new RegistryError(`${reason.message}; already put: ${put.join(", ")}`, {
    failure,
    hint,
    cause: reason,
    ...(status === undefined ? {} : { status }),
  });
}

/** Once into each repository. */
async function putByDigest(references: readonly Reference[], manifest: EncodedBlob, state: State): Promise<void> {
  const { digest } = manifest.descriptor;
  const repositories = new Map(references.map((reference) => [`${reference.registry}/${reference.repository}`, reference]));
  await allOrFirstFailure([...repositories.values()].map((reference) => putManifest({ ...reference, digest }, digest, manifest, state)));
}

async function putManifest(reference: Reference, which: string, manifest: EncodedBlob, state: State): Promise<void> {
  const { registry, repository } = reference;
  const { report, backOff, signal } = state;
  const client = state.client(registry);
  const call: Call = { repository, scopes: [pushScope(repository)], action: `push "${formatReference(reference)}"`, signal };
  const path = `/v2/${repository}/manifests/${which}`;
  await retryWhole(state.retries, `push ${formatReference(reference)}`, { report, backOff, signal }, async () => {
    try {
      const headers = { "content-type": manifest.descriptor.mediaType };
      const response = await client.send("PUT", path, { ...call, headers, body: manifest.bytes });
      if (response.status >= 200 && response.status < 300) {
        await response.discard();
        const stored = response.header("docker-content-digest");
        if (stored === undefined || !stored.startsWith("sha256:") || stored === manifest.descriptor.digest) return;
        throw new RegistryError(`Cannot ${call.action}: ${registry} stored the manifest as ${stored}`, {
          failure: "invalid",
          status: response.status,
        });
      }
      const refusal = await client.refuse(response, call);
      // Registries with immutable tags refuse even what changes nothing.
      if (response.status < 500 && (await isThere(client, path, manifest.descriptor.digest, call))) return;
      throw refusal;
    } catch (error) {
      signal.throwIfAborted();
      throw client.wrap(error, call);
    }
  });
}

async function isThere(client: Client, path: string, digest: Digest, call: Call): Promise<boolean> {
  const response = await client.send("HEAD", path, { ...call, headers: { accept: acceptedManifests } }).catch(() => undefined);
  await response?.discard();
  return response?.status === 200 && response.header("docker-content-digest") === digest;
}

interface Origin {
  readonly registry: string;
  readonly repository: string;
}

function originsOf({ origin }: Layer): readonly Origin[] {
  return origin === undefined ? [] : [{ registry: normalizeRegistry(origin.registry), repository: origin.repository }];
}

function sourceOf(layer: Layer, signal: AbortSignal): UploadSource {
  const { file, descriptor } = layer;
  if (file !== undefined)
    return { descriptor, open: (offset) => createReadStream(file, { start: offset, highWaterMark: readBytes, signal }) };
  return { descriptor, open: (offset) => skipBytes(layer.open(signal), offset) };
}

async function* skipBytes(bytes: AsyncIterable<Uint8Array>, count: number): AsyncGenerator<Uint8Array, void, void> {
  let left = count;
  for await (const chunk of bytes) {
    const rest = chunk.subarray(Math.min(left, chunk.byteLength));
    left -= chunk.byteLength - rest.byteLength;
    if (rest.byteLength > 0) yield rest;
  }
}

async function* once(bytes: Uint8Array): AsyncGenerator<Uint8Array, void, void> {
  yield bytes;
}

/** Waits for all, so that nothing goes on behind the caller's back; throws the first failure. */
async function allOrFirstFailure(work: readonly Promise<void>[]): Promise<void> {
  const outcomes = await Promise.allSettled(work);
  const failed = outcomes.find((outcome) => outcome.status === "rejected");
  if (failed !== undefined) throw failed.reason;
}

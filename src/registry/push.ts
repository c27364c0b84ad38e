// Pushes an image to its destinations: blobs as soon as they are known, tags when everything else is there.

import { type BackOff, expectListeners } from "../http/http.ts";
import type { Digest } from "../image/digest.ts";
import { type EncodedBlob, isForeignLayer } from "../image/encode.ts";
import type { Layer } from "../image/image.ts";
import { formatReference, normalizeRegistry, type Reference, withDefaultTag } from "../image/reference.ts";
import type { Report } from "../report/report.ts";
import type { Client } from "./client.ts";
import { RegistryError } from "./error.ts";
import { hasManifest, putManifest } from "./put-manifest.ts";
import type { Push } from "./registry.ts";
import type { Sender, SentBlob } from "./sender.ts";

export interface PushTools {
  readonly report: Report;
  readonly backOff: BackOff;
  readonly sender: Sender;
  /** Of whole pushes: `--push-retry`. */
  readonly retries: number;
  readonly ignoreImmutableTags: boolean;
  client(registry: string): Client;
}

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
  const sent = new Map<Digest, Promise<void>>();
  const state = { ...tools, signal: stop.signal };

  function layer(given: Layer): Promise<void> {
    const { digest, mediaType } = given.descriptor;
    if (isForeignLayer(mediaType)) return Promise.resolve();
    let coming = sent.get(digest);
    if (coming === undefined) {
      coming = sendEverywhere(targets, given, state);
      sent.set(digest, coming);
      // A build that fails before `finish` never asks; a later call with a better source may try again.
      coming.catch(() => sent.delete(digest));
    }
    return coming;
  }

  return {
    layer,
    async finish({ images, top }) {
      try {
        if (sent.size === 0 && (await isEverywhere(targets, top, state))) return await putManifests(wanted, top, state, true);
        await Promise.all(images.flatMap(({ image, config }) => [...image.layers.map(layer), sendEverywhere(targets, config, state)]));
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

type State = PushTools & { readonly signal: AbortSignal };

function groupByRegistry(references: readonly Reference[], tools: PushTools): readonly Target[] {
  const registries = new Map<string, Set<string>>();
  for (const { registry, repository } of references) {
    const repositories = registries.get(registry) ?? new Set();
    registries.set(registry, repositories.add(repository));
  }
  return [...registries].map(([registry, repositories]) => ({ client: tools.client(registry), repositories: [...repositories] }));
}

/** Each registry gets the bytes once; its other repositories mount them from the first. */
async function sendEverywhere(targets: readonly Target[], blob: SentBlob, state: State): Promise<void> {
  const send = (client: Client, repository: string) => state.sender.send({ client, repository }, blob, state);
  await allOrFirstFailure(
    targets.map(async ({ client, repositories }) => {
      const [first, ...others] = repositories;
      if (first === undefined) return;
      await send(client, first);
      await allOrFirstFailure(others.map((repository) => send(client, repository)));
    }),
  );
}

/** Whether every repository has the manifest, and with it everything that it names. */
async function isEverywhere(targets: readonly Target[], manifest: EncodedBlob, { signal }: State): Promise<boolean> {
  const answers = targets.flatMap(({ client, repositories }) =>
    repositories.map((repository) => hasManifest({ client, repository }, manifest.descriptor.digest, signal)),
  );
  return (await Promise.all(answers)).every(Boolean);
}

/** By digest everywhere first where there are several, so that no tag moves while another destination can still refuse the manifest. */
async function putManifests(
  references: readonly Reference[],
  manifest: EncodedBlob,
  state: State,
  isThere = false,
): Promise<readonly { reference: Reference; digest: Digest }[]> {
  const { digest } = manifest.descriptor;
  if (references.length > 1 && !isThere) await putByDigest(references, manifest, state);
  const tagged = references.filter(({ tag }) => tag !== undefined);
  const untagged = references.length === 1 && tagged.length === 0 ? references : [];
  const outcomes = await Promise.allSettled(
    [...tagged, ...untagged].map((reference) => putOne(reference, reference.tag ?? digest, manifest, state)),
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
  await allOrFirstFailure([...repositories.values()].map((reference) => putOne({ ...reference, digest }, digest, manifest, state)));
}

async function putOne(reference: Reference, which: string, manifest: EncodedBlob, state: State): Promise<void> {
  const target = { client: state.client(reference.registry), repository: reference.repository };
  try {
    await putManifest(target, { which, name: formatReference(reference) }, manifest, state);
  } catch (error) {
    if (!state.ignoreImmutableTags || !(error instanceof RegistryError) || !sayImmutable.test(error.message)) throw error;
    state.report.emit({ kind: "warning", text: `${error.message}; the tag stays as it is, as --push-ignore-immutable-tag-errors asks` });
  }
}

/** As Amazon's, Google's, GitLab's, Harbor's and Quay's registries say that a tag exists and must not be moved. */
const sayImmutable = /immutable|immutability|cannot be overwritten/i;

/** Waits for all, so that nothing goes on behind the caller's back; throws the first failure. */
async function allOrFirstFailure(work: readonly Promise<void>[]): Promise<void> {
  const outcomes = await Promise.allSettled(work);
  const failed = outcomes.find((outcome) => outcome.status === "rejected");
  if (failed !== undefined) throw failed.reason;
}

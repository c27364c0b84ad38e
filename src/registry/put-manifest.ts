// Puts a manifest under a tag or its digest.

import { type BackOff, pause, waitBefore } from "../http/http.ts";
import type { Digest } from "../image/digest.ts";
import type { EncodedBlob } from "../image/encode.ts";
import type { Report } from "../report/report.ts";
import { type Call, type Client, pushScope } from "./client.ts";
import { RegistryError } from "./error.ts";
import { acceptedManifests } from "./manifest.ts";
import { retryWhole } from "./retry-whole.ts";
import type { UploadTarget } from "./upload.ts";

export interface PutTools {
  readonly report: Report;
  readonly backOff: BackOff;
  /** Of the whole. */
  readonly retries: number;
  readonly signal?: AbortSignal | undefined;
}

/** `which` is a tag or a digest, `name` the full reference, for people. */
export async function putManifest(
  { client, repository }: UploadTarget,
  { which, name }: { readonly which: string; readonly name: string },
  manifest: EncodedBlob,
  { report, backOff, retries, signal }: PutTools,
): Promise<void> {
  const call: Call = { repository, scopes: [pushScope(repository)], action: `push "${name}"`, signal, tries: backOff.tries };
  const path = `/v2/${repository}/manifests/${which}`;
  await retryWhole(retries, `push ${name}`, { report, backOff, signal }, async () => {
    for (let turn = 1; ; turn++) {
      const refusal = await putOnce(client, path, manifest, call);
      if (refusal === undefined) return;
      // Docker's registry rewrites the link of a blob that comes again, and finds it empty at that moment when another manifest is checked.
      const isMomentary = /\b(DIGEST_INVALID|BLOB_UNKNOWN)\b/.test(refusal.message);
      if (!isMomentary || turn >= Math.min(3, backOff.tries)) throw refusal;
      await pause(waitBefore(turn + 1, backOff) ?? 0, signal);
    }
  });
}

/** Whether a repository has a manifest; a registry that does not say so counts as having none. */
export function hasManifest({ client, repository }: UploadTarget, digest: Digest, signal: AbortSignal): Promise<boolean> {
  const call: Call = { repository, scopes: [pushScope(repository)], action: `push "${repository}@${digest}"`, signal };
  return isThere(client, `/v2/${repository}/manifests/${digest}`, digest, call);
}

/** Gives the error of a registry that says no. */
async function putOnce(client: Client, path: string, manifest: EncodedBlob, call: Call): Promise<RegistryError | undefined> {
  try {
    const headers = { "content-type": manifest.descriptor.mediaType };
    const response = await client.send("PUT", path, { ...call, headers, body: manifest.bytes });
    if (response.status >= 200 && response.status < 300) {
      await response.discard();
      const stored = response.header("docker-content-digest");
      if (stored === undefined || !stored.startsWith("sha256:") || stored === manifest.descriptor.digest) return undefined;
      throw new RegistryError(`Cannot ${call.action}: ${client.registry} stored the manifest as ${stored}`, {
        failure: "invalid",
        status: response.status,
      });
    }
    const refusal = await client.refuse(response, call);
    // Registries with immutable tags refuse even what changes nothing.
    const isSettled = response.status < 500 && (await isThere(client, path, manifest.descriptor.digest, call));
    return isSettled ? undefined : refusal;
  } catch (error) {
    call.signal?.throwIfAborted();
    throw client.wrap(error, call);
  }
}

async function isThere(client: Client, path: string, digest: Digest, call: Call): Promise<boolean> {
  const response = await client.send("HEAD", path, { ...call, headers: { accept: acceptedManifests } }).catch(() => undefined);
  await response?.discard();
  return response?.status === 200 && response.header("docker-content-digest") === digest;
}

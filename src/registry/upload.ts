// Brings one blob into one repository: looks, mounts, or uploads it, and goes on where a cut connection stopped.

import { type BackOff, HttpError, isTransientStatus, pause, type Response, waitBefore } from "../http/http.ts";
import type { Descriptor } from "../image/image.ts";
import type { Report } from "../report/report.ts";
import { type Call, type Client, pullScope, pushScope } from "./client.ts";
import { RegistryError } from "./error.ts";
import type { Transfer } from "./transfer.ts";

export interface UploadTarget {
  readonly client: Client;
  readonly repository: string;
}

export interface UploadSource {
  readonly descriptor: Descriptor;
  /** The bytes from `offset` on. */
  open(offset: number): AsyncIterable<Uint8Array>;
}

export interface UploadTools {
  readonly backOff: BackOff;
  readonly report: Report;
  readonly signal?: AbortSignal | undefined;
  /** Progress of this blob, and bytes for the totals. */
  readonly transfer?: Transfer;
  count?(bytes: number): void;
}

export type UploadOutcome = "exists" | "mounted" | "transferred";

/** Repositories on the same registry that have the blob are tried in order. */
export async function uploadBlob(
  target: UploadTarget,
  source: UploadSource,
  mountFrom: readonly string[],
  tools: UploadTools,
): Promise<UploadOutcome> {
  const { client, repository } = target;
  const { digest } = source.descriptor;
  const call: Call = {
    repository,
    scopes: [pushScope(repository)],
    action: `push "${client.registry}/${repository}@${digest}"`,
    signal: tools.signal,
    tries: tools.backOff.tries,
  };
  try {
    if (await hasBlob(client, digest, call)) return "exists";
    let session: string | undefined;
    for (const from of mountFrom.filter((other) => other !== repository).slice(0, 3)) {
      const mounted = await mountBlob(client, digest, from, call, tools.report);
      if (mounted === "mounted") return mounted;
      if (session !== undefined && mounted.session !== undefined) await cancelUpload(client, session, call);
      session = mounted.session ?? session;
    }
    await sendBlob(target, source, session, call, tools);
    return "transferred";
  } catch (error) {
    tools.signal?.throwIfAborted();
    throw client.wrap(error, call);
  }
}

/** Starts an upload and cancels it: nothing else tells whether a push would be allowed. `cancelled` never rejects. */
export async function probeUpload(
  { client, repository }: UploadTarget,
  action: string,
  signal: AbortSignal | undefined,
): Promise<{ readonly cancelled: Promise<void> }> {
  const call: Call = { repository, scopes: [pushScope(repository)], action, signal };
  try {
    const session = await startUpload(client, call);
    return { cancelled: cancelUpload(client, session, { ...call, signal: AbortSignal.timeout(farewellMs) }).catch(() => {}) };
  } catch (error) {
    signal?.throwIfAborted();
    throw client.wrap(error, call);
  }
}

async function hasBlob(client: Client, digest: string, call: Call): Promise<boolean> {
  const response = await client.send("HEAD", `/v2/${call.repository}/blobs/${digest}`, call);
  await response.discard();
  if (response.status === 401) throw await client.refuse(response, call);
  // Every other answer leaves it to the upload to find out.
  return response.status === 200;
}

async function mountBlob(
  client: Client,
  digest: string,
  from: string,
  call: Call,
  report: Report,
): Promise<"mounted" | { readonly session: string | undefined }> {
  const path = `/v2/${call.repository}/blobs/uploads/?mount=${encodeURIComponent(digest)}&from=${encodeURIComponent(from)}`;
  try {
    const response = await client.send("POST", path, {
      ...call,
      scopes: [pushScope(call.repository), pullScope(from)],
      body: new Uint8Array(),
    });
    await response.discard();
    if (response.status === 201) return "mounted";
    if (response.status === 202) return { session: locationOf(response, client, call) };
    report.emit({ kind: "debug", text: `${client.registry} answered ${response.status} to a mount of ${digest} from ${from}` });
  } catch (error) {
    call.signal?.throwIfAborted();
    if (!(error instanceof RegistryError)) throw error;
    report.emit({ kind: "debug", text: `Cannot mount ${digest} from ${from}: ${error.message}` });
  }
  return { session: undefined };
}

async function startUpload(client: Client, call: Call): Promise<string> {
  const response = await client.send("POST", `/v2/${call.repository}/blobs/uploads/`, { ...call, body: new Uint8Array() });
  if (response.status !== 202) throw await client.refuse(response, call);
  await response.discard();
  return locationOf(response, client, call);
}

/** Ends an upload that is not wanted any more; registries that cannot do so forget it by themselves. */
async function cancelUpload(client: Client, session: string, call: Call): Promise<void> {
  const response = await client.send("DELETE", session, { ...call, tries: 1 }).catch(() => undefined);
  await response?.discard();
  call.signal?.throwIfAborted();
}

/** Absolute: relative locations belong to the URL that answered. */
function locationOf(response: Response, client: Client, call: Call): string {
  const location = response.header("location");
  if (location !== undefined && URL.canParse(location, response.url)) return new URL(location, response.url).href;
  throw new RegistryError(`Cannot ${call.action}: ${client.registry} does not say where to upload to`, {
    failure: "invalid",
    status: response.status,
  });
}

/** How long a build that was stopped waits to tell a registry so. */
const farewellMs = 1500;

/** Where an upload stands: how much the registry has, and where the rest goes to. */
interface Session {
  readonly url: string;
  readonly offset: number;
}

async function sendBlob(
  target: UploadTarget,
  source: UploadSource,
  started: string | undefined,
  call: Call,
  tools: UploadTools,
): Promise<void> {
  const { client } = target;
  const { signal, backOff } = tools;
  const { digest, size } = source.descriptor;
  let session: Session | undefined = started === undefined ? undefined : { url: started, offset: 0 };
  const abandon = async () => {
    if (session !== undefined)
      await cancelUpload(client, session.url, { ...call, signal: AbortSignal.timeout(farewellMs) }).catch(() => {});
    signal?.throwIfAborted();
  };
  let best = 0;
  let failures = 0;
  let hasBegun = false;
  for (;;) {
    try {
      session ??= { url: await startUpload(client, call), offset: 0 };
      hasBegun = true;
      const response = await sendRest(client, session, source, call, tools);
      if (response.status === 201 || response.status === 204) {
        await response.discard();
        return checkStored(response, digest, client, call);
      }
      const error = await client.refuse(response, call);
      // A session can be lost, and bytes can be damaged on their way; both are worth a fresh start.
      const isLost = response.status === 404 || response.status === 416 || /DIGEST_INVALID|BLOB_UPLOAD/.test(error.message);
      if (!isLost && !isTransientStatus(response.status)) throw error;
      failures += 1;
      if (failures >= (isLost ? Math.min(3, backOff.tries) : backOff.tries)) throw error;
      await pause(waitBefore(failures + 1, backOff, response.header("retry-after")) ?? 0, signal);
      if (isLost) {
        await cancelUpload(client, session.url, call);
        session = undefined;
        continue;
      }
    } catch (error) {
      if (signal?.aborted) await abandon();
      if (!(error instanceof HttpError) || error.failure === "tls" || error.failure === "proxy") throw error;
      failures += 1;
      if (failures >= backOff.tries || !hasBegun) throw error;
      tools.report.emit({ kind: "debug", text: `Upload of ${digest} to ${client.registry}/${call.repository} stopped: ${error.message}` });
      await pause(waitBefore(failures + 1, backOff) ?? 0, signal);
    }
    session = session === undefined ? undefined : await askWhere(client, session, size, call);
    if (session !== undefined && session.offset > best) {
      best = session.offset;
      failures = 1;
    }
    tools.report.emit({ kind: "debug", text: `Going on with the upload of ${digest} at byte ${session?.offset ?? 0}` });
  }
}

/** One PUT with everything, or after an interruption a PATCH with the rest and a PUT that ends it. */
async function sendRest(client: Client, session: Session, source: UploadSource, call: Call, tools: UploadTools): Promise<Response> {
  const { digest, size } = source.descriptor;
  const end = (url: string) => {
    const target = new URL(url);
    target.searchParams.set("digest", digest);
    return target.href;
  };
  const octets = { "content-type": "application/octet-stream" };
  let sent = 0;
  const body = {
    size: size - session.offset,
    open: () => {
      tools.transfer?.add(-sent);
      sent = 0;
      return observe(source.open(session.offset), (bytes) => {
        sent += bytes;
        tools.transfer?.add(bytes);
        tools.count?.(bytes);
      });
    },
  };
  try {
    if (session.offset === 0 && size > 0)
      return await client.send("PUT", end(session.url), { ...call, headers: octets, body, tries: 1, redirects: 5 });
    let url = session.url;
    if (session.offset < size) {
      const headers = { ...octets, "content-range": `${session.offset}-${size - 1}` };
      const response = await client.send("PATCH", url, { ...call, headers, body, tries: 1 });
      if (response.status !== 202) return response;
      await response.discard();
      url = locationOf(response, client, call);
    }
    return await client.send("PUT", end(url), { ...call, headers: octets, body: new Uint8Array(), tries: 1 });
  } catch (error) {
    tools.transfer?.add(-sent);
    throw error;
  }
}

/** Asks how much of an interrupted upload has arrived; undefined where it has to start again. */
async function askWhere(client: Client, session: Session, size: number, call: Call): Promise<Session | undefined> {
  try {
    const response = await client.send("GET", session.url, call);
    await response.discard();
    const [, last] = /^(?:bytes[= ])?0-(\d+)$/i.exec(response.header("range")?.trim() ?? "") ?? [];
    const location = response.header("location");
    // "0-0" is what registries say of an empty upload; one byte more or less is sent again with the whole.
    const offset = last === undefined || last === "0" ? 0 : Number(last) + 1;
    if (response.status >= 300 || offset === 0 || offset > size) {
      await cancelUpload(client, session.url, call);
      return undefined;
    }
    return { url: location === undefined ? session.url : locationOf(response, client, call), offset };
  } catch (error) {
    call.signal?.throwIfAborted();
    if (error instanceof HttpError || error instanceof RegistryError) return undefined;
    throw error;
  }
}

function checkStored(response: Response, digest: string, client: Client, call: Call): void {
  const stored = response.header("docker-content-digest");
  if (stored?.startsWith("sha256:") && stored !== digest)
    throw new RegistryError(`Cannot ${call.action}: ${client.registry} stored it as ${stored}`, {
      failure: "invalid",
      status: response.status,
    });
}

async function* observe(bytes: AsyncIterable<Uint8Array>, see: (bytes: number) => void): AsyncGenerator<Uint8Array, void, void> {
  for await (const chunk of bytes) {
    see(chunk.byteLength);
    yield chunk;
  }
}

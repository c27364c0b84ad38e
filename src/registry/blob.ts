// Reads blobs out of registries: goes on where a cut connection stopped, and believes no range that it did not ask for.

import { type BackOff, HttpError, pause, type Response, waitBefore } from "../http/http.ts";
import type { Descriptor } from "../image/image.ts";
import type { Report } from "../report/report.ts";
import { type Call, type Client, pullScope } from "./client.ts";
import { apiHost } from "./endpoint.ts";
import { RegistryError } from "./error.ts";

/** A host that should have the blob. */
export interface BlobSource {
  readonly client: Client;
  readonly repository: string;
}

export interface BlobTools {
  readonly backOff: BackOff;
  readonly report: Report;
  readonly signal?: AbortSignal | undefined;
  /** Where sources redirected to, by source: the parts of one download need not ask the registry each time. */
  readonly shortcuts?: Map<BlobSource, string>;
  /** Told of every byte that comes. */
  count(bytes: number): void;
}

/** The registry answers requests for a part with the whole. */
export class RangesIgnoredError extends Error {
  override readonly name = "RangesIgnoredError";
}

/** A connection that brought this much before it was cut has not failed in vain: the tries are counted afresh. */
const progressBytes = 1024 * 1024;

/**
 * The bytes of a blob from `start` to `end`, exclusive, each once; when one source fails the next goes on. They are not verified
 * here. A part of a blob throws a RangesIgnoredError where the registry knows no ranges.
 */
export async function* readBlob(
  sources: readonly BlobSource[],
  descriptor: Descriptor,
  { start, end }: { readonly start: number; readonly end: number },
  tools: BlobTools,
): AsyncGenerator<Uint8Array, void, void> {
  let at = start;
  const problems: unknown[] = [];
  const urls = [undefined, ...(descriptor.urls ?? [])];
  for (const source of sources) {
    for (const url of urls) {
      try {
        for await (const chunk of readFrom(
          source,
          url,
          descriptor,
          { start: at, end, isPart: start > 0 || end < descriptor.size },
          tools,
        )) {
          at += chunk.byteLength;
          tools.count(chunk.byteLength);
          yield chunk;
        }
        return;
      } catch (error) {
        tools.signal?.throwIfAborted();
        if (!(error instanceof RegistryError)) throw error;
        problems.push(error);
        tools.report.emit({ kind: "debug", text: error.message });
      }
    }
  }
  throw problems[0];
}

async function* readFrom(
  source: BlobSource,
  url: string | undefined,
  descriptor: Descriptor,
  range: { readonly start: number; readonly end: number; readonly isPart: boolean },
  tools: BlobTools,
): AsyncGenerator<Uint8Array, void, void> {
  const { client, repository } = source;
  const { backOff, signal } = tools;
  const action = `pull layer "${client.registry}/${repository}@${descriptor.digest}"`;
  const call: Call = { repository, scopes: [pullScope(repository)], action, signal };
  const path = url ?? `/v2/${repository}/blobs/${descriptor.digest}`;
  let at = range.start;
  let mark = at;
  if (at === range.end && descriptor.size > 0) return;
  for (let failures = 0; ; ) {
    const needsRange = at > 0 || range.isPart;
    const headers: Record<string, string> = needsRange ? { range: `bytes=${at}-${range.end - 1}` } : {};
    try {
      const response = await ask(headers);
      const skip = await checkAnswer(response, { at, end: range.end, size: descriptor.size, isPart: range.isPart }, client, call);
      for await (const chunk of takeBytes(response, skip, range.end - at, client, call)) {
        at += chunk.byteLength;
        yield chunk;
      }
      if (at === range.end) return;
      throw new HttpError("cut", response.url, `it ended ${range.end - at} bytes early`);
    } catch (error) {
      signal?.throwIfAborted();
      if (!(error instanceof HttpError)) throw error;
      failures = at - mark >= progressBytes ? 1 : failures + 1;
      mark = at;
      if (failures >= backOff.tries) throw client.wrap(error, call);
      tools.report.emit({ kind: "debug", text: `Going on with ${descriptor.digest} at byte ${at}: ${error.message}` });
      await pause(waitBefore(failures + 1, backOff) ?? 0, signal);
    }
  }

  /** The client has already repeated what went wrong before the answer; only a registry that was there just now gets more time. */
  async function ask(headers: Record<string, string>): Promise<Response> {
    try {
      const shortcut = url === undefined ? tools.shortcuts?.get(source) : undefined;
      if (shortcut !== undefined) {
        const direct = await client.send("GET", shortcut, { ...call, headers });
        if (direct.status === 206) return direct;
        // Signed addresses end after a while; the registry gives a new one.
        tools.shortcuts?.delete(source);
        await direct.discard();
      }
      const response = await client.send("GET", path, { ...call, headers });
      if (response.status === 206 && new URL(response.url).host !== apiHost(client.registry)) tools.shortcuts?.set(source, response.url);
      return response;
    } catch (error) {
      signal?.throwIfAborted();
      const isGone = error instanceof HttpError && (error.failure === "refused" || error.failure === "unreachable");
      throw isGone && at > range.start ? error : client.wrap(error, call);
    }
  }
}

/** Checks that an answer holds the bytes asked for; tells how many before them must be passed over. */
async function checkAnswer(
  response: Response,
  { at, end, size, isPart }: { readonly at: number; readonly end: number; readonly size: number; readonly isPart: boolean },
  client: Client,
  call: Call,
): Promise<number> {
  const refuse = async (why: string) => {
    await response.discard();
    return new RegistryError(`Cannot ${call.action}: ${client.registry} ${why}`, { failure: "invalid", status: response.status });
  };
  const length = response.header("content-length");
  if (response.status === 206) {
    const [, from, to, total] = /^bytes\s+(\d+)-(\d+)\/(\d+|\*)$/i.exec(response.header("content-range") ?? "") ?? [];
    const isWanted = Number(from) === at && Number(to) === end - 1 && (total === "*" || Number(total) === size);
    if (!isWanted)
      throw await refuse(
        `was asked for bytes ${at} to ${end - 1} of ${size} and sent "${response.header("content-range") ?? "an unnamed part"}"`,
      );
    if (length !== undefined && Number(length) > end - at) throw await refuse(`sends ${length} bytes where ${end - at} were asked for`);
    return 0;
  }
  if (response.status === 200) {
    if (length !== undefined && Number(length) > size) throw await refuse(`sends ${length} bytes, the manifest says ${size}`);
    if (!isPart) return at;
    await response.discard();
    throw new RangesIgnoredError(`${client.registry} ignores ranges`);
  }
  if (response.status === 416 && isPart) {
    await response.discard();
    throw new RangesIgnoredError(`${client.registry} refuses ranges`);
  }
  throw await client.refuse(response, call);
}

/** The answer's bytes without the first `skip`; more than `most` of them are an error. */
async function* takeBytes(
  response: Response,
  skip: number,
  most: number,
  client: Client,
  call: Call,
): AsyncGenerator<Uint8Array, void, void> {
  let skipping = skip;
  let left = most;
  for await (const chunk of response.body) {
    const rest = skipping === 0 ? chunk : chunk.subarray(Math.min(skipping, chunk.byteLength));
    skipping -= chunk.byteLength - rest.byteLength;
    if (rest.byteLength > left)
      throw new RegistryError(`Cannot ${call.action}: ${client.registry} sends more bytes than the manifest says`, {
        failure: "invalid",
        status: response.status,
      });
    left -= rest.byteLength;
    if (rest.byteLength > 0) yield rest;
  }
}

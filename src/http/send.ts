// Sends one request over one connection and watches its bodies: neither may stall, and an answer is whole or an error.

import type { Dispatcher } from "undici";
import { HttpError, httpError } from "./error.ts";
import type { Method, RequestOptions, Response } from "./http.ts";
import { redactUrl } from "./redact.ts";
import { expectListeners } from "./retry.ts";

interface Settings {
  readonly userAgent: string;
  readonly stallMs: number;
  readonly headersMs: number;
  readonly storeMs: number;
}

/** Bodies up to this length are read to their end when they are not wanted, so that the connection can be used again. */
const drainBytes = 64 * 1024;

export async function sendOnce(
  dispatcher: Dispatcher,
  method: Method,
  url: URL,
  { headers, body, signal }: RequestOptions,
  { userAgent, stallMs, headersMs, storeMs }: Settings,
): Promise<Response> {
  const stop = new AbortController();
  const stream = body !== undefined && "open" in body ? watchStalls(body.open(), stop, stallMs, method, url) : body;
  const length = body === undefined ? undefined : "open" in body ? body.size : body.byteLength;
  const forward = () => stop.abort(signal?.reason);
  const forget = () => signal?.removeEventListener("abort", forward);
  expectListeners(signal);
  signal?.addEventListener("abort", forward, { once: true });
  try {
    const answer: Dispatcher.ResponseData = await dispatcher.request({
      origin: url.origin,
      path: `${url.pathname}${url.search}`,
      method,
      headers: {
        "user-agent": userAgent,
        // A proxy or a CDN that compresses would change the bytes that digests and ranges speak of.
        "accept-encoding": "identity",
        ...headers,
        ...(length === undefined ? {} : { "content-length": String(length) }),
      },
      // Undici takes async iterables, though its types do not say so.
      body: (stream ?? null) as Buffer | null,
      signal: stop.signal,
      headersTimeout: stream === undefined || stream === body ? headersMs : storeMs,
    });
    answer.body.once("close", forget);
    return responseOf(answer, method, url, signal);
  } catch (cause) {
    forget();
    signal?.throwIfAborted();
    throw stop.signal.aborted ? stop.signal.reason : httpError(method, url.href, cause);
  }
}

/** Aborts the request when the connection takes no further piece for too long; an error of the source itself is passed on as it is. */
async function* watchStalls(
  source: AsyncIterable<Uint8Array>,
  stop: AbortController,
  stallMs: number,
  method: Method,
  url: URL,
): AsyncGenerator<Uint8Array> {
  let timer: NodeJS.Timeout | undefined;
  const watch = () => {
    clearTimeout(timer);
    timer = setTimeout(() => {
      const text = `Cannot ${method} "${redactUrl(url.href)}": it took no further bytes for ${stallMs / 1000} s`;
      stop.abort(new HttpError("timeout", url.href, text));
    }, stallMs);
  };
  try {
    for await (const chunk of source) {
      watch();
      yield chunk;
      clearTimeout(timer);
    }
  } catch (error) {
    if (!stop.signal.aborted) stop.abort(error);
    throw error;
  } finally {
    clearTimeout(timer);
  }
}

function responseOf(answer: Dispatcher.ResponseData, method: Method, url: URL, signal: AbortSignal | undefined): Response {
  const all = (name: string) => {
    const value = answer.headers[name.toLowerCase()];
    return value === undefined ? [] : typeof value === "string" ? [value] : value;
  };
  // A body that is destroyed before anybody reads it would otherwise raise its error out of nowhere.
  answer.body.on("error", () => {});

  async function* read(): AsyncGenerator<Uint8Array> {
    try {
      for await (const chunk of answer.body) yield chunk as Uint8Array;
    } catch (cause) {
      signal?.throwIfAborted();
      throw httpError(method, url.href, cause);
    }
  }

  return {
    status: answer.statusCode,
    url: url.href,
    header: (name) => (all(name).length === 0 ? undefined : all(name).join(", ")),
    headers: all,
    body: { [Symbol.asyncIterator]: read },
    async bytes(limit) {
      const tooLarge = () =>
        new HttpError("too-large", url.href, `Cannot ${method} "${redactUrl(url.href)}": the answer is larger than ${limit} bytes`);
      const chunks: Uint8Array[] = [];
      let size = 0;
      if (Number(all("content-length")[0] ?? 0) > limit && method !== "HEAD") {
        answer.body.destroy();
        throw tooLarge();
      }
      for await (const chunk of read()) {
        size += chunk.byteLength;
        if (size > limit) throw tooLarge();
        chunks.push(chunk);
      }
      return Buffer.concat(chunks, size);
    },
    async discard() {
      await answer.body.dump({ limit: drainBytes }).catch(() => {});
    },
  };
}

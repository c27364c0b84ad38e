// The one HTTP client: proxies, certificates, redirects, time limits and retries over undici.

import { HttpError } from "./error.ts";
import { openOrigins } from "./origins.ts";
import { redactUrl } from "./redact.ts";
import { followRedirect, type Hop, isRedirect } from "./redirect.ts";
import { defaultBackOff, isTransientStatus, pause, waitBefore } from "./retry.ts";
import { sendOnce } from "./send.ts";

export { HttpError, type HttpFailure } from "./error.ts";
export { redactText } from "./redact.ts";
export { defaultBackOff, expectListeners, isTransientStatus, pause, waitBefore } from "./retry.ts";
export { openShared, orAbort } from "./share.ts";

/** Where requests go through; as `HTTP_PROXY`, `HTTPS_PROXY` and `NO_PROXY` say it. */
export interface Proxies {
  readonly http?: string;
  readonly https?: string;
  /** Hosts, `.suffixes`, addresses, CIDR blocks, each with an optional port, separated by commas; `*` is everything. */
  readonly noProxy?: string;
}

/** Which certificate authorities are trusted. Without either the system's bundle is, and where there is none, Node's. */
export interface Roots {
  /** PEM bundles, as in `SSL_CERT_FILE`. */
  readonly files: readonly string[];
  /** Directories of PEM files, as in `SSL_CERT_DIR`. */
  readonly directories: readonly string[];
}

/** How TLS is spoken to one host. */
export interface HostTls {
  readonly skipVerify?: boolean;
  /** PEM files trusted for this host on top of the roots. */
  readonly authorities?: readonly string[];
  /** PEM files that the client shows. */
  readonly client?: { readonly certificate: string; readonly key: string };
}

export interface HttpOptions {
  readonly userAgent: string;
  readonly proxies: Proxies;
  readonly roots: Roots;
  /** By `host` or `host:port`, the port left out where it is the scheme's own. */
  tlsFor?(host: string): HostTls;
  /** At once, to one origin. */
  readonly connectionsPerHost?: number;
  readonly timeouts?: Partial<Timeouts>;
  readonly backOff?: Partial<BackOff>;
}

/** Milliseconds. */
export interface Timeouts {
  readonly connectMs: number;
  /** From the last byte sent to the first byte of the answer. */
  readonly headersMs: number;
  /** The same where a stream was sent: the host may have gigabytes to store. */
  readonly storeMs: number;
  /** Between two pieces of a body, in either direction. */
  readonly stallMs: number;
}

/** How long to wait before the second, third … try: `firstMs`, then twice as long each time up to `mostMs`, each time with jitter. */
export interface BackOff {
  readonly tries: number;
  readonly firstMs: number;
  readonly mostMs: number;
}

export type Method = "GET" | "HEAD" | "POST" | "PUT" | "PATCH" | "DELETE";

export interface RequestOptions {
  readonly headers?: Readonly<Record<string, string>>;
  /** Bytes, or a function that starts a stream afresh each time it is called; `size` is then its length. */
  readonly body?: Uint8Array | { readonly size: number; open(): AsyncIterable<Uint8Array> };
  readonly signal?: AbortSignal | undefined;
  /** 0 hands redirects to the caller; the default is 5. */
  readonly redirects?: number;
  /** Tries in all, for requests that may be repeated; the default is the client's. */
  readonly tries?: number;
}

/** An answer whose body has not been read; the body must be read or discarded. */
export interface Response {
  readonly status: number;
  /** Where the answer came from, after redirects. */
  readonly url: string;
  header(name: string): string | undefined;
  headers(name: string): readonly string[];
  /** Fails when it is cut, stalls, or is shorter than its Content-Length. */
  readonly body: AsyncIterable<Uint8Array>;
  /** The whole body, refused when longer than `limit` bytes. */
  bytes(limit: number): Promise<Uint8Array>;
  /** Gives the connection free. */
  discard(): Promise<void>;
}

export interface Http {
  /** Resolves with any status; rejects with an HttpError when no answer came. */
  request(method: Method, url: string, options?: RequestOptions): Promise<Response>;
  close(): Promise<void>;
}

const defaultTimeouts: Timeouts = { connectMs: 15_000, headersMs: 60_000, storeMs: 300_000, stallMs: 60_000 };

/** Opens the client; it connects to nothing by itself. */
export function openHttp(options: HttpOptions): Http {
  const timeouts = { ...defaultTimeouts, ...options.timeouts };
  const backOff = { ...defaultBackOff, ...options.backOff };
  const origins = openOrigins({ ...options, timeouts, connectionsPerHost: options.connectionsPerHost ?? 24 });

  async function sendPatiently(method: Method, url: URL, request: RequestOptions): Promise<Response> {
    const tries = request.tries ?? (method === "PATCH" ? 1 : backOff.tries);
    for (let turn = 1; ; turn++) {
      let waitMs: number | undefined;
      try {
        const response = await sendOnce(await origins.of(url), method, url, request, { userAgent: options.userAgent, ...timeouts });
        if (turn >= tries || !isTransientStatus(response.status)) return response;
        waitMs = waitBefore(turn + 1, backOff, response.header("retry-after"));
        if (waitMs === undefined) return response;
        await response.discard();
      } catch (error) {
        if (turn >= tries || !(error instanceof HttpError) || !error.isTransient) throw error;
        waitMs = waitBefore(turn + 1, backOff) ?? 0;
      }
      await pause(waitMs, request.signal);
    }
  }

  return {
    async request(method, url, request = {}) {
      let hop: Hop = { method, url: new URL(url), request };
      for (let left = request.redirects ?? 5; ; left--) {
        request.signal?.throwIfAborted();
        const response = await sendPatiently(hop.method, hop.url, hop.request);
        const location = isRedirect(response.status) ? response.header("location") : undefined;
        if (location === undefined || request.redirects === 0) return response;
        await response.discard();
        if (left === 0) throw new HttpError("redirect", url, `Cannot ${method} "${redactUrl(url)}": it redirects too often`);
        hop = followRedirect(hop, response.status, location);
      }
    },
    close: () => origins.close(),
  };
}

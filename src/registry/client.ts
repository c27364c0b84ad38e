// Speaks to one registry host: finds out whether it is HTTPS or HTTP, proves who we are, and renews that when it runs out.

import {
  type BackOff,
  type Http,
  HttpError,
  isTransientStatus,
  type Method,
  pause,
  type RequestOptions,
  type Response,
  waitBefore,
} from "../http/http.ts";
import type { Report } from "../report/report.ts";
import { openAuthorizer, type Scopes } from "./authorizer.ts";
import type { Keychain } from "./credentials.ts";
import { apiHost } from "./endpoint.ts";
import { type Asked, type RegistryError, readRefusal, speaksPlainHttp, wrapHttpError } from "./error.ts";

export interface Call extends RequestOptions {
  readonly repository: string;
  readonly scopes: Scopes;
  /** What the whole thing is about, ready to follow "Cannot": `pull "reference"`. */
  readonly action: string;
}

export interface Client {
  readonly registry: string;
  /** `path` starts with `/v2/`, or is an absolute URL that the registry gave. Any status may come back, 401 when the credentials do not do. Throws HttpErrors, for `wrap` to explain. */
  send(method: Method, path: string, call: Call): Promise<Response>;
  /** A whole small document; a cut answer is asked for again. Throws RegistryErrors, also for every status but 200. */
  read(path: string, call: Call, limit: number): Promise<{ readonly response: Response; readonly bytes: Uint8Array }>;
  /** The error for an answer that says no. */
  refuse(response: Response, call: Call): Promise<RegistryError>;
  wrap(error: unknown, call: Call): unknown;
}

export function pullScope(repository: string): string {
  return `repository:${repository}:pull`;
}

export function pushScope(repository: string): string {
  return `repository:${repository}:pull,push`;
}

export function openClient(
  registry: string,
  tools: {
    readonly http: Http;
    readonly keychain: Keychain;
    readonly report: Report;
    readonly allowsHttp: boolean;
    readonly backOff: BackOff;
  },
): Client {
  const { http, allowsHttp, report } = tools;
  const host = apiHost(registry);
  const authorizer = openAuthorizer(registry, tools);
  let origin: Promise<string> | undefined;

  const describe = (call: Call): Asked => ({
    registry,
    action: call.action,
    credentials: authorizer.describe(call.repository),
    allowsHttp,
  });

  async function findOrigin(): Promise<string> {
    if (!allowsHttp) return `https://${host}`;
    const scheme = await chooseScheme(http, host);
    if (scheme === "http") report.emit({ kind: "debug", text: `Speaking plain HTTP with ${registry}` });
    return `${scheme}://${host}`;
  }

  async function resolveUrl(path: string): Promise<URL> {
    origin ??= findOrigin();
    origin.catch(() => {
      origin = undefined;
    });
    const base = new URL(await origin);
    const url = new URL(path, base);
    // A registry behind a proxy that ends TLS often believes that it speaks plain HTTP and says so in its locations.
    if (url.host === base.host && base.protocol === "https:") url.protocol = "https:";
    return url;
  }

  /**
   * The very first request to a port that may speak plain HTTP is its own ping, which saves a round trip: it carries no credentials,
   * since none have been asked for. undefined: it did not work out, or is not the first.
   */
  async function sendEarly(method: Method, path: string, call: Call): Promise<Response | undefined> {
    const isSmall = call.body === undefined || (!("open" in call.body) && call.body.byteLength === 0);
    if (origin !== undefined || !allowsHttp || !isSmall || !hasPort(host) || !path.startsWith("/")) return undefined;
    const response = await http.request(method, `http://${host}${path}`, { ...call, tries: 1 }).catch(() => undefined);
    call.signal?.throwIfAborted();
    if (response === undefined) return undefined;
    if (!refusesPlain(response) && !isTransientStatus(response.status)) {
      origin ??= Promise.resolve(`http://${host}`);
      return (await origin).startsWith("http:") ? response : undefined;
    }
    await response.discard();
    return undefined;
  }

  async function send(method: Method, path: string, call: Call): Promise<Response> {
    let early = await sendEarly(method, path, call);
    const url = await resolveUrl(path);
    const isOwn = url.host === host;
    for (let turn = 1; ; turn++) {
      const auth = isOwn ? await authorizer.authorize(call.repository, call.scopes, describe(call), call.signal) : undefined;
      const headers = { ...call.headers, ...(auth === undefined ? {} : { authorization: auth.value }) };
      const response = early ?? (await http.request(method, url.href, { ...call, headers }));
      early = undefined;
      const isOurs = response.status === 401 && new URL(response.url).host === host;
      if (!isOurs || turn === 3 || (turn > 1 && auth?.isNew !== false)) return response;
      if (!authorizer.learn(response, call.repository, call.scopes, auth?.value)) return response;
      await response.discard();
      report.emit({
        kind: "debug",
        text: `${registry} wants ${auth === undefined ? "to know who asks" : "a new token"} for ${call.repository}`,
      });
    }
  }

  async function read(path: string, call: Call, limit: number): Promise<{ response: Response; bytes: Uint8Array }> {
    for (let turn = 1; ; turn++) {
      try {
        const response = await send("GET", path, call);
        if (response.status !== 200) throw await readRefusal(response, describe(call));
        return { response, bytes: await response.bytes(limit) };
      } catch (error) {
        const isCut = error instanceof HttpError && error.isTransient;
        if (!isCut || turn === tools.backOff.tries) throw wrapHttpError(error, describe(call));
        await pause(waitBefore(turn + 1, tools.backOff) ?? 0, call.signal);
      }
    }
  }

  return {
    registry,
    send,
    read,
    refuse: (response, call) => readRefusal(response, describe(call)),
    wrap: (error, call) => wrapHttpError(error, describe(call)),
  };
}

const pingMs = 15_000;
const silenceMs = 3000;

/**
 * A port speaks one or the other, and asking it in plain text first saves the reading of all certificate authorities. Without a port
 * there are two to choose from: HTTPS where it works, as go-containerregistry has it, both asked at once. No credentials go along.
 */
async function chooseScheme(http: Http, host: string): Promise<"http" | "https"> {
  if (!hasPort(host)) return raceSchemes(ping(http, "https", host), ping(http, "http", host));
  try {
    await ping(http, "http", host);
    return "http";
  } catch (plainError) {
    const isThere = plainError instanceof HttpError && (plainError.failure === "protocol" || plainError.failure === "cut");
    if (!isThere) throw plainError;
    await ping(http, "https", host).catch((error: unknown) => {
      throw error instanceof HttpError && speaksPlainHttp(error) ? plainError : error;
    });
    return "https";
  }
}

/** Rejects where the host does not speak the scheme: web servers answer 400 to plain text on a TLS port, or point to HTTPS. */
async function ping(http: Http, scheme: "http" | "https", host: string): Promise<void> {
  const url = `${scheme}://${host}/v2/`;
  const response = await http
    .request("GET", url, { tries: 1, redirects: 0, signal: AbortSignal.timeout(pingMs) })
    .catch((error: unknown) => {
      if (error instanceof HttpError) throw error;
      throw new HttpError("timeout", url, `Cannot GET "${url}": no answer within ${pingMs / 1000} s`, error);
    });
  await response.discard();
  const refuses = scheme === "http" ? refusesPlain(response) : response.status === 400;
  if (refuses) throw new HttpError("protocol", url, `Cannot GET "${url}": it does not speak ${scheme.toUpperCase()}`);
}

/** Web servers answer 400 (nginx: 497) to plain text on a TLS port, or point to HTTPS; a registry has no other use for these. */
function refusesPlain(response: Response): boolean {
  const leadsAway = response.status >= 300 && response.status < 400 && /^https:/i.test(response.header("location") ?? "");
  return response.status === 400 || response.status === 426 || response.status === 497 || leadsAway || response.url.startsWith("https:");
}

function hasPort(host: string): boolean {
  return /:\d+$/.test(host);
}

async function raceSchemes(secure: Promise<void>, plain: Promise<void>): Promise<"http" | "https"> {
  // A firewall may swallow the packets to the HTTPS port: once plain HTTP has answered, three seconds are enough.
  const silence = plain.then(
    () => new Promise<never>((_, reject) => setTimeout(() => reject(new Error("HTTPS is silent")), silenceMs).unref()),
    () => new Promise<never>(() => {}),
  );
  silence.catch(() => {});
  try {
    await Promise.race([secure, silence]);
    return "https";
  } catch (error) {
    return plain.then(
      () => "http" as const,
      (plainError) => {
        const isTls = error instanceof HttpError && error.failure === "tls";
        throw isTls && !speaksPlainHttp(error) ? error : plainError;
      },
    );
  }
}

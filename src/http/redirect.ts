// Where a redirect leads, and what of the request goes along.

import { HttpError } from "./error.ts";
import type { Method, RequestOptions } from "./http.ts";
import { redactUrl } from "./redact.ts";

export interface Hop {
  readonly method: Method;
  readonly url: URL;
  readonly request: RequestOptions;
}

export function isRedirect(status: number): boolean {
  return status === 301 || status === 302 || status === 303 || status === 307 || status === 308;
}

/** The next request, as browsers and Go make it; what proves who we are stays with the host that asked for it. */
export function followRedirect(from: Hop, status: number, location: string): Hop {
  const url = URL.canParse(location, from.url.href) ? new URL(location, from.url) : undefined;
  if (url === undefined || (url.protocol !== "https:" && url.protocol !== "http:")) {
    const text = `Cannot ${from.method} "${redactUrl(from.url.href)}": it redirects to what is no web address`;
    throw new HttpError("redirect", from.url.href, text);
  }
  const sameHost = url.host === from.url.host && (url.protocol === from.url.protocol || url.protocol === "https:");
  const headers = Object.entries(from.request.headers ?? {}).filter(([name]) => sameHost || !/^(authorization|cookie)$/i.test(name));
  const becomesGet = (status === 303 && from.method !== "HEAD") || ((status === 301 || status === 302) && from.method === "POST");
  if (!becomesGet) return { ...from, url, request: { ...from.request, headers: Object.fromEntries(headers) } };
  const { body: _, ...request } = from.request;
  const kept = headers.filter(([name]) => !/^content-/i.test(name));
  return { method: "GET", url, request: { ...request, headers: Object.fromEntries(kept) } };
}

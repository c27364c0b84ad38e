// One pool of connections for each origin, direct or through the proxy that serves it.

import type { Dispatcher } from "undici";
import type { HttpOptions, Timeouts } from "./http.ts";
import { proxyFor } from "./proxy.ts";
import { openContext } from "./roots.ts";
import { loadProxyAgent, Pool } from "./undici.ts";

export interface Origins {
  of(url: URL): Promise<Dispatcher>;
  /** Ends all connections at once. */
  close(): Promise<void>;
}

export function openOrigins(options: HttpOptions & { readonly timeouts: Timeouts; readonly connectionsPerHost: number }): Origins {
  const pools = new Map<string, Promise<Dispatcher>>();
  const { connectMs, headersMs, stallMs } = options.timeouts;
  let isClosed = false;

  async function tlsOf(url: URL) {
    if (url.protocol !== "https:") return { timeout: connectMs };
    const tls = options.tlsFor?.(url.host) ?? {};
    return { timeout: connectMs, secureContext: await openContext(options.roots, tls), rejectUnauthorized: tls.skipVerify !== true };
  }

  async function open(url: URL): Promise<Dispatcher> {
    const shared = { connections: options.connectionsPerHost, pipelining: 1, headersTimeout: headersMs, bodyTimeout: stallMs };
    const proxy = proxyFor(url, options.proxies);
    if (proxy === undefined) return new Pool(url.origin, { ...shared, connect: await tlsOf(url) });
    const { username, password } = proxy;
    const ProxyAgent = await loadProxyAgent();
    const credentials = Buffer.from(`${decodeURIComponent(username)}:${decodeURIComponent(password)}`).toString("base64");
    return new ProxyAgent({
      ...shared,
      uri: proxy.origin,
      ...(username === "" ? {} : { token: `Basic ${credentials}` }),
      // A proxy forwards plain HTTP itself; many refuse to CONNECT to any port but 443.
      proxyTunnel: url.protocol === "https:",
      requestTls: await tlsOf(url),
      proxyTls: await tlsOf(proxy),
    });
  }

  return {
    async of(url) {
      if (isClosed) throw new Error(`Cannot ask "${url.origin}": the HTTP client is closed`);
      const known = pools.get(url.origin);
      if (known !== undefined) return known;
      const pool = open(url);
      pools.set(url.origin, pool);
      return pool;
    },
    async close() {
      isClosed = true;
      const opened = await Promise.allSettled(pools.values());
      pools.clear();
      await Promise.all(opened.map((pool) => (pool.status === "fulfilled" ? pool.value.destroy() : undefined)));
    },
  };
}

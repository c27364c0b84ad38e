// The parts of undici that are used: its index loads all of it, and makes Node load a copy of its own as well.

import type * as undici from "undici";
import connect from "undici/lib/api/api-connect.js";
import request from "undici/lib/api/api-request.js";
import Dispatcher from "undici/lib/dispatcher/dispatcher.js";
import Pool from "undici/lib/dispatcher/pool.js";

// As its index does; proxies need `connect`.
Object.assign(Dispatcher.prototype, { connect, request });

export { Pool };

export async function loadProxyAgent(): Promise<typeof undici.ProxyAgent> {
  return (await import("undici/lib/dispatcher/proxy-agent.js")).default;
}

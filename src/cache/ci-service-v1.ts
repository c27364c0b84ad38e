// The cache service in its first version, which GitHub Enterprise Server and act speak.

import type { Http, Method } from "../http/http.ts";
import {
  type Answer,
  ask,
  deniedPrefix,
  type Entries,
  entryVersion,
  jsonBody,
  type Reservation,
  refusalOf,
  WriteDeniedError,
} from "./ci-entry.ts";
import type { CiAccess } from "./ci-service.ts";

export function openEntriesV1({ url, token }: CiAccess, http: Http): Entries {
  const base = `${url}_apis/artifactcache/`;
  const headers = { authorization: `Bearer ${token}`, accept: "application/json;api-version=6.0-preview.1" };
  const call = (method: Method, path: string, signal: AbortSignal, body?: unknown): Promise<Answer> => {
    const sent = body === undefined ? {} : { body: jsonBody(body) };
    const type = body === undefined ? {} : { "content-type": "application/json" };
    return ask(http, method, `${base}${path}`, { headers: { ...headers, ...type }, signal, ...sent });
  };

  const find: Entries["find"] = async (key, match, signal) => {
    const answer = await call("GET", `cache?keys=${encodeURIComponent(key)}&version=${entryVersion}`, signal);
    if (answer.status === 204 || answer.status === 404) return undefined;
    const { cacheKey, archiveLocation } = answer.body;
    if (answer.status !== 200 || typeof archiveLocation !== "string") throw refusalOf(answer, `look up cache entry "${key}"`);
    const found = typeof cacheKey === "string" ? cacheKey : key;
    return match === "exact" && found !== key ? undefined : { key: found, url: archiveLocation };
  };

  function openReservation(key: string, id: string): Reservation {
    const isDone = ({ status }: Answer) => status >= 200 && status < 300;
    return {
      async send({ offset, bytes }, signal) {
        const place = { "content-type": "application/octet-stream", "content-range": `bytes ${offset}-${offset + bytes.length - 1}/*` };
        // The same bytes to the same place may well be sent again.
        const answer = await ask(http, "PATCH", `${base}caches/${id}`, {
          headers: { ...headers, ...place },
          body: bytes,
          signal,
          tries: 5,
        });
        if (!isDone(answer)) throw refusalOf(answer, `upload cache entry "${key}"`);
      },
      async finish(size, signal) {
        const answer = await call("POST", `caches/${id}`, signal, { size });
        // A request whose answer was lost is repeated, and finds its work done.
        if (!isDone(answer) && (await find(key, "exact", signal)) === undefined) throw refusalOf(answer, `finish cache entry "${key}"`);
      },
    };
  }

  return {
    find,
    async reserve(key, signal) {
      const answer = await call("POST", "caches", signal, { key, version: entryVersion });
      const { cacheId } = answer.body;
      if (answer.status < 300 && cacheId !== undefined) return openReservation(key, encodeURIComponent(String(cacheId)));
      const refusal = refusalOf(answer, `reserve cache entry "${key}"`);
      if (answer.status === 403 || answer.text.includes(deniedPrefix)) throw new WriteDeniedError(refusal.message);
      if (answer.status === 409 || /already exist/i.test(answer.text)) return undefined;
      throw refusal;
    },
  };
}

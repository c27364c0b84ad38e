// The cache service in its second version: Twirp with JSON, and the signed URLs of an Azure block store.

import type { Http } from "../http/http.ts";
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

const service = "twirp/github.actions.results.api.v1.CacheService";

/** https://twitchtv.github.io/twirp/docs/spec_v7.html and https://learn.microsoft.com/rest/api/storageservices/put-block */
export function openEntriesV2({ url, token }: CiAccess, http: Http): Entries {
  const call = (method: string, body: unknown, signal: AbortSignal): Promise<Answer> =>
    ask(http, "POST", `${url}${service}/${method}`, {
      headers: { authorization: `Bearer ${token}`, "content-type": "application/json" },
      body: jsonBody(body),
      signal,
    });

  const find: Entries["find"] = async (key, match, signal) => {
    const request = { key, restore_keys: match === "newest" ? [key] : [], version: entryVersion };
    const answer = await call("GetCacheEntryDownloadURL", request, signal);
    const found = { key: textOf(answer, "matched_key") ?? key, url: textOf(answer, "signed_download_url") };
    if (answer.status === 404 || (answer.status === 200 && answer.body.ok !== true)) return undefined;
    if (answer.status !== 200 || found.url === undefined) throw refusalOf(answer, `look up cache entry "${key}"`);
    return match === "exact" && found.key !== key ? undefined : { ...found, url: found.url };
  };

  function openReservation(key: string, target: string): Reservation {
    const blocks = new Map<number, string>();
    // The signed part of the URL must stay as it is, to the letter.
    const put = async (query: string, body: Uint8Array, signal: AbortSignal) => {
      const headers = query === "" ? { "x-ms-blob-type": "BlockBlob" } : {};
      const answer = await ask(http, "PUT", `${target}${query}`, { headers, body, signal });
      if (answer.status !== 201) throw refusalOf(answer, `upload cache entry "${key}"`);
    };
    return {
      async send({ offset, bytes, isWhole }, signal) {
        if (isWhole) return put("", bytes, signal);
        // All ids of a blob have one length.
        const id = Buffer.from(String(offset).padStart(15, "0")).toString("base64");
        await put(`&comp=block&blockid=${encodeURIComponent(id)}`, bytes, signal);
        blocks.set(offset, id);
      },
      async finish(size, signal) {
        if (blocks.size > 0) {
          const ids = [...blocks].sort(([a], [b]) => a - b).map(([, id]) => `<Latest>${id}</Latest>`);
          const list = `<?xml version="1.0" encoding="utf-8"?><BlockList>${ids.join("")}</BlockList>`;
          await put("&comp=blocklist", Buffer.from(list), signal);
        }
        const answer = await call("FinalizeCacheEntryUpload", { key, version: entryVersion, size_bytes: String(size) }, signal);
        // A request whose answer was lost is repeated, and finds its work done.
        if (answer.body.ok !== true && (await find(key, "exact", signal)) === undefined)
          throw refusalOf(answer, `finish cache entry "${key}"`);
      },
    };
  }

  return {
    find,
    async reserve(key, signal) {
      const answer = await call("CreateCacheEntry", { key, version: entryVersion }, signal);
      const target = textOf(answer, "signed_upload_url");
      if (answer.status === 200 && answer.body.ok === true && target !== undefined) return openReservation(key, target);
      const refusal = refusalOf(answer, `reserve cache entry "${key}"`);
      if (answer.status === 403 || answer.text.includes(deniedPrefix)) throw new WriteDeniedError(refusal.message);
      if (answer.status === 409 || /exists/.test(answer.text)) return undefined;
      throw refusal;
    },
  };
}

/** A field's text; protobuf's JSON has two spellings of a name, and servers that stand in for GitHub's use either. */
function textOf({ body }: Answer, name: string): string | undefined {
  const value = body[name] ?? body[name.replace(/_(.)/g, (_, letter: string) => letter.toUpperCase())];
  return typeof value === "string" && value !== "" ? value : undefined;
}

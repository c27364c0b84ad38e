// Downloads a file from the web: whole and verified, or not at all.

import { createHash, randomUUID } from "node:crypto";
import { createWriteStream } from "node:fs";
import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import { pipeline } from "node:stream/promises";
import { createGunzip } from "node:zlib";
import { defaultBackOff, type Http, HttpError, pause, type Response, redactText, waitBefore } from "../http/http.ts";
import type { Digest } from "../image/digest.ts";
import { readSecret, type Secrets } from "./secret.ts";

export interface Download {
  /** Of a file that belongs to whoever asked for it. */
  readonly path: string;
  /** Bytes. */
  readonly size: number;
  /** Seconds since 1970: the host's Last-Modified, 0 where it gives none. */
  readonly mtime: number;
  /** Of the content. */
  readonly digest: Digest;
}

export interface DownloadTools {
  readonly http: Http;
  /** By id; `HTTP_AUTH_TOKEN_HOST` and `HTTP_AUTH_HEADER_HOST` say who we are to a host. */
  readonly secrets: Secrets;
  /** Where the file is put; made when it is needed. */
  readonly directory: string;
  readonly signal: AbortSignal;
}

/** As much as a layer may unpack to. */
const maxBytes = 64 * 2 ** 30;

/** As many as Go's client follows. */
const redirects = 10;

/**
 * Asks for a file, and throws unless the host has it. The bytes come while nobody waits; `finished` rejects where they break off for
 * good, or are not those of the checksum.
 */
export async function beginDownload(
  url: string,
  checksum: Digest | undefined,
  tools: DownloadTools,
): Promise<{ readonly finished: Promise<Download> }> {
  const first = await ask(url, tools);
  const finished = receive(url, first, tools).then((download) => {
    const { digest } = download;
    if (checksum === undefined || digest === checksum) return download;
    throw new Error(`Cannot download "${redactText(url)}": digest mismatch: it has ${digest}, and --checksum asks for ${checksum}`);
  });
  finished.catch(() => {});
  return { finished };
}

async function ask(text: string, { http, secrets, signal }: DownloadTools): Promise<Response> {
  const authorization = authorizationFor(new URL(text), secrets);
  const headers = authorization === undefined ? {} : { authorization };
  const response = await http.request("GET", text, { headers, redirects, signal });
  if (response.status >= 200 && response.status < 300) return response;
  await response.discard();
  throw new Error(`Cannot download "${redactText(text)}": invalid response status ${response.status}`);
}

function authorizationFor({ hostname, username, password }: URL, secrets: Secrets): string | undefined {
  const token = readSecret(secrets, `HTTP_AUTH_TOKEN_${hostname}`);
  if (token !== undefined) return `Bearer ${token}`;
  const header = readSecret(secrets, `HTTP_AUTH_HEADER_${hostname}`);
  if (header !== undefined || (username === "" && password === "")) return header;
  return `Basic ${Buffer.from(`${decodeURIComponent(username)}:${decodeURIComponent(password)}`).toString("base64")}`;
}

async function receive(url: string, first: Response, tools: DownloadTools): Promise<Download> {
  for (let [turn, response] = [1, first]; ; turn++) {
    try {
      return await store(url, response, tools);
    } catch (error) {
      if (turn === defaultBackOff.tries || !(error instanceof HttpError) || !error.isTransient) throw error;
      await pause(waitBefore(turn + 1, defaultBackOff) ?? 0, tools.signal);
      response = await ask(url, tools);
    }
  }
}

async function store(url: string, response: Response, { directory, signal }: DownloadTools): Promise<Download> {
  await mkdir(directory, { recursive: true, mode: 0o700 });
  const path = join(directory, randomUUID());
  const hash = createHash("sha256");
  let size = 0;
  async function* measure(bytes: AsyncIterable<Uint8Array>) {
    for await (const chunk of bytes) {
      hash.update(chunk);
      size += chunk.length;
      if (size > maxBytes) throw new Error(`Cannot download "${redactText(url)}": it has more than ${maxBytes} bytes`);
      yield chunk;
    }
  }
  const file = createWriteStream(path, { flags: "wx", mode: 0o600 });
  // Go's client takes this wrapping off, asked for or not.
  const isWrapped = response.header("content-encoding")?.toLowerCase() === "gzip";
  if (isWrapped) await pipeline(response.body, createGunzip(), measure, file, { signal });
  else await pipeline(response.body, measure, file, { signal });
  const modified = Date.parse(response.header("last-modified") ?? "");
  return { path, size, mtime: Number.isNaN(modified) ? 0 : Math.floor(modified / 1000), digest: `sha256:${hash.digest("hex")}` };
}

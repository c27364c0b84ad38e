// The entries of a CI's cache service: they never change, and are found by their key or as the newest with a prefix.

import { createHash } from "node:crypto";
import { type Http, type Method, type RequestOptions, redactText } from "../http/http.ts";

/** The entries that a token shows. A key is at most 512 characters, without commas, in lower case: some servers know no other. */
export interface Entries {
  /** With "exact" the entry of this key, with "newest" the youngest whose key starts with it. */
  find(key: string, match: "exact" | "newest", signal: AbortSignal): Promise<FoundEntry | undefined>;
  /** undefined: the key is taken, be it by an entry that is not whole yet. Throws a WriteDeniedError where the job may not write. */
  reserve(key: string, signal: AbortSignal): Promise<Reservation | undefined>;
}

export interface FoundEntry {
  readonly key: string;
  /** Takes ranged requests without a token; for some minutes, so it is not for keeping. */
  readonly url: string;
}

/** An entry that nobody sees before it is finished. */
export interface Reservation {
  /** Parts go in any order and several at once; one that is sent again replaces itself. */
  send(part: Part, signal: AbortSignal): Promise<void>;
  /** Makes an entry of this many bytes of what was sent. */
  finish(size: number, signal: AbortSignal): Promise<void>;
}

export interface Part {
  readonly offset: number;
  readonly bytes: Uint8Array;
  /** There is no other. */
  readonly isWhole: boolean;
}

/** The job's token may not write to the cache. */
export class WriteDeniedError extends Error {
  override readonly name = "WriteDeniedError";
}

/** Tells our entries from those of others with the same key. */
export const entryVersion = createHash("sha256").update("slipway cache 1").digest("hex");

/** What a call of the service came to; the body is what it said in JSON, and empty where it said something else. */
export interface Answer {
  readonly status: number;
  readonly body: Readonly<Record<string, unknown>>;
  readonly text: string;
}

/** Answers are small: what is larger is none. */
const mostAnswer = 1 << 20;

export async function ask(http: Http, method: Method, url: string, options: RequestOptions): Promise<Answer> {
  const response = await http.request(method, url, options);
  const text = Buffer.from(await response.bytes(mostAnswer)).toString();
  return { status: response.status, body: parseObject(text), text };
}

export function jsonBody(value: unknown): Uint8Array {
  return Buffer.from(JSON.stringify(value));
}

/** What to throw of an answer that is none of those hoped for. */
export function refusalOf({ status, body, text }: Answer, action: string): Error {
  const said = [body.code, body.msg ?? body.message ?? body.error ?? /<Code>([^<]*)/.exec(text)?.[1]].filter((part) => part !== undefined);
  const detail = said.length === 0 ? "" : ` (${redactText(said.join(": "))})`;
  return new Error(`Cannot ${action}: the cache service answered ${status}${detail}`);
}

/** How the service starts to say that a token may only read. */
export const deniedPrefix = "cache write denied:";

function parseObject(text: string): Readonly<Record<string, unknown>> {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === "object" && value !== null ? (value as Record<string, unknown>) : {};
  } catch {
    return {};
  }
}

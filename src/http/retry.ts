// When to try again, and how long to wait before it.

import { setMaxListeners } from "node:events";
import type { BackOff } from "./http.ts";

export const defaultBackOff: BackOff = { tries: 5, firstMs: 500, mostMs: 30_000 };

/** A host that asks for more patience than this gets none. */
const patienceMs = 120_000;

/** Statuses that say "later": go-containerregistry's list, and every other 5xx but "not implemented" and "HTTP version not supported". */
export function isTransientStatus(status: number): boolean {
  return status === 408 || status === 429 || status === 499 || (status >= 500 && status !== 501 && status !== 505);
}

/**
 * Milliseconds to wait before try number `next` (2 is the first repetition). Half of the time is left to chance, so that many
 * builds that failed together do not come back together. undefined: `retryAfter` asks for too much, give up.
 */
export function waitBefore(next: number, backOff: BackOff, retryAfter?: string, now = Date.now()): number | undefined {
  const asked = parseRetryAfter(retryAfter, now);
  if (asked !== undefined && asked > patienceMs) return undefined;
  const full = Math.min(backOff.mostMs, backOff.firstMs * 2 ** (next - 2));
  return Math.max(asked ?? 0, full / 2 + (Math.random() * full) / 2);
}

/** https://www.rfc-editor.org/rfc/rfc9110#field.retry-after, in milliseconds from now. */
export function parseRetryAfter(value: string | undefined, now: number): number | undefined {
  if (value === undefined) return undefined;
  if (/^\s*\d+\s*$/.test(value)) return Number(value) * 1000;
  const date = Date.parse(value);
  return Number.isNaN(date) ? undefined : Math.max(0, date - now);
}

/** Keeps Node from warning of a leak where dozens of requests wait for one signal; each takes its listener away again. */
export function expectListeners(signal: AbortSignal | undefined): void {
  if (signal !== undefined) setMaxListeners(0, signal);
}

/** Sleeps; rejects at once with the signal's reason when it aborts. */
export function pause(ms: number, signal?: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    signal?.throwIfAborted();
    expectListeners(signal);
    const stop = () => {
      clearTimeout(timer);
      reject(signal?.reason);
    };
    const timer = setTimeout(() => {
      signal?.removeEventListener("abort", stop);
      resolve();
    }, ms);
    signal?.addEventListener("abort", stop, { once: true });
  });
}

// What a test can order a registry to do wrong with an answer.

import type { ServerResponse } from "node:http";
import { setTimeout as sleep } from "node:timers/promises";

/** With "status" what was asked for is done all the same, with "refuse" it is not. */
export type Fault = {
  readonly method?: string;
  /** Matched against path and query. */
  readonly path?: RegExp;
  /** Requests that it serves; 1 when left out. */
  readonly times?: number;
} & (
  | {
      readonly kind: "status" | "refuse";
      readonly status: number;
      readonly headers?: Readonly<Record<string, string>>;
      readonly body?: string;
    }
  /** The connection ends before there is an answer. */
  | { readonly kind: "reset" }
  /** The connection ends after so many bytes of the body. */
  | { readonly kind: "cut"; readonly after: number }
  /** The connection ends after so many bytes of the request's body. */
  | { readonly kind: "cut-upload"; readonly after: number }
  /** Nothing more comes after so many bytes. */
  | { readonly kind: "stall"; readonly after: number }
  | { readonly kind: "drip"; readonly bytes: number; readonly everyMs: number }
  /** One bit is wrong. */
  | { readonly kind: "corrupt" }
  /** The body ends early and its Content-Length says so. */
  | { readonly kind: "truncate"; readonly to: number }
  | { readonly kind: "infinite" }
  /** Adds, replaces, or with undefined takes away headers. */
  | { readonly kind: "headers"; readonly headers: Readonly<Record<string, string | undefined>> }
  /** The whole body with status 200, whatever range was asked for. */
  | { readonly kind: "replace"; readonly status: number; readonly body: Buffer; readonly headers?: Readonly<Record<string, string>> }
  | { readonly kind: "redirect"; readonly to: string; readonly status?: number }
);

interface Answer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly body?: Buffer;
}

export async function sendAnswer(
  response: ServerResponse,
  answer: Answer,
  fault: Fault | undefined,
  logged: { status: number },
  { isHead }: { readonly host: string; readonly isHead: boolean },
): Promise<void> {
  let { status, headers, body = Buffer.alloc(0) } = answer;
  switch (fault?.kind) {
    case "reset":
      response.destroy();
      return;
    case "status":
    case "refuse":
      ({ status } = fault);
      headers = fault.headers ?? {};
      body = Buffer.from(fault.body ?? "");
      break;
    case "replace":
      ({ status, body } = fault);
      headers = fault.headers ?? {};
      break;
    case "redirect":
      status = fault.status ?? 307;
      headers = { location: fault.to };
      body = Buffer.alloc(0);
      break;
    case "corrupt":
      body = Buffer.from(body);
      body[body.length >> 1] = (body[body.length >> 1] ?? 0) ^ 1;
      break;
    case "truncate":
      body = body.subarray(0, fault.to);
      break;
    default:
  }
  logged.status = status;
  const given = fault?.kind === "headers" ? { ...headers, ...fault.headers } : headers;
  const sent = Object.fromEntries(Object.entries(given).filter((entry): entry is [string, string] => entry[1] !== undefined));
  const isChunked = fault?.kind === "infinite";
  const length = isHead || status === 204 ? {} : { "content-length": String(body.length) };
  response.writeHead(status, {
    ...(isChunked ? {} : length),
    ...(isHead && body.length > 0 ? { "content-length": String(body.length) } : {}),
    ...sent,
  });
  if (isHead) {
    response.end();
    return;
  }
  await sendBody(response, body, fault);
}

async function sendBody(response: ServerResponse, body: Buffer, fault: Fault | undefined): Promise<void> {
  const write = (chunk: Buffer) => new Promise<void>((resolve) => response.write(chunk, () => resolve()));
  switch (fault?.kind) {
    case "cut":
      if (fault.after > 0) await write(body.subarray(0, fault.after));
      else response.flushHeaders();
      // The client must have seen the bytes before the reset overtakes them.
      await sleep(10);
      response.destroy();
      return;
    case "stall":
      if (fault.after > 0) await write(body.subarray(0, fault.after));
      else response.flushHeaders();
      return;
    case "drip":
      for (let at = 0; at < body.length && !response.destroyed; at += fault.bytes) {
        await write(body.subarray(at, at + fault.bytes));
        await sleep(fault.everyMs);
      }
      response.end();
      return;
    case "infinite": {
      const closed = new Promise((resolve) => response.once("close", resolve));
      while (!response.destroyed) {
        await Promise.race([write(Buffer.alloc(64 * 1024)), closed]);
      }
      return;
    }
    default:
      response.end(body);
  }
}

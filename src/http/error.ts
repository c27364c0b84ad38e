// What can go wrong between asking a host and having read its answer, told apart so that callers can retry or advise.

import { redactUrl } from "./redact.ts";

export type HttpFailure =
  /** Nothing listens there. */
  | "refused"
  /** The name has no address. */
  | "unresolved"
  /** No way to the host, or no connection in time. */
  | "unreachable"
  | "tls"
  /** The host went silent. */
  | "timeout"
  /** The connection ended in the middle. */
  | "cut"
  | "proxy"
  /** What came back is no HTTP. */
  | "protocol"
  | "redirect"
  | "too-large";

/** No usable answer came. `url` is free of secrets. */
export class HttpError extends Error {
  override readonly name = "HttpError";
  readonly failure: HttpFailure;
  readonly url: string;

  constructor(failure: HttpFailure, url: string, text: string, cause?: unknown) {
    super(text, cause === undefined ? undefined : { cause });
    this.failure = failure;
    this.url = redactUrl(url);
  }

  /** Whether the same request may well succeed a moment later. */
  get isTransient(): boolean {
    return this.failure === "timeout" || this.failure === "cut";
  }
}

const failures: Readonly<Record<string, HttpFailure>> = {
  ECONNREFUSED: "refused",
  ENOTFOUND: "unresolved",
  EAI_AGAIN: "timeout",
  EHOSTUNREACH: "unreachable",
  ENETUNREACH: "unreachable",
  EADDRNOTAVAIL: "unreachable",
  EACCES: "unreachable",
  UND_ERR_CONNECT_TIMEOUT: "unreachable",
  ETIMEDOUT: "timeout",
  UND_ERR_HEADERS_TIMEOUT: "timeout",
  UND_ERR_BODY_TIMEOUT: "timeout",
  ECONNRESET: "cut",
  ECONNABORTED: "cut",
  EPIPE: "cut",
  UND_ERR_SOCKET: "cut",
  UND_ERR_ABORTED: "cut",
  UND_ERR_INFO: "cut",
  UND_ERR_RES_CONTENT_LENGTH_MISMATCH: "cut",
  UND_ERR_PRX_TLS: "tls",
  EPROTO: "tls",
};

const descriptions: Readonly<Record<HttpFailure, string>> = {
  refused: "the connection was refused",
  unresolved: "the host name has no address",
  unreachable: "no connection could be made",
  tls: "TLS failed",
  timeout: "it did not answer in time",
  cut: "the connection was cut",
  proxy: "the proxy refused",
  protocol: "the answer is no HTTP",
  redirect: "the redirect leads nowhere",
  "too-large": "the answer is too large",
};

/** Tells which kind of failure an error of undici, Node's sockets or Node's TLS stands for. */
export function httpError(method: string, url: string, cause: unknown): HttpError {
  if (cause instanceof HttpError) return cause;
  const failure = classify(cause);
  const detail = failure === "tls" || failure === "proxy" || failure === "protocol" ? ` (${messageOf(cause)})` : "";
  return new HttpError(failure, url, `Cannot ${method} "${redactUrl(url)}": ${descriptions[failure]}${detail}`, cause);
}

function classify(error: unknown): HttpFailure {
  const code = String((error as { code?: unknown }).code ?? "");
  const text = messageOf(error);
  if (/^Proxy response|Proxy Authentication/.test(text)) return "proxy";
  if (code.startsWith("ERR_SSL_") || code.startsWith("ERR_TLS_") || /CERT|UNABLE_TO_|HOSTNAME_MISMATCH/.test(code)) return "tls";
  if (/before secure TLS connection/.test(text)) return "tls";
  if (code.startsWith("HPE_")) return "protocol";
  return failures[code] ?? (/timed? ?out/i.test(text) ? "timeout" : "cut");
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message.replace(/\s+/g, " ").trim() : String(error);
}

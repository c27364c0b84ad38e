// Why a registry did not do what it was asked, told apart so that callers can branch, with one thing to try.

import { HttpError, type Response, redactText } from "../http/http.ts";

export type RegistryFailure =
  /** No credentials, or wrong ones. */
  | "unauthorized"
  /** The credentials are good but not for this. */
  | "denied"
  | "not-found"
  /** The repository does not exist and the registry does not make it. */
  | "name-unknown"
  | "rate-limited"
  | "unreachable"
  | "tls"
  /** The registry broke the protocol, or its bytes are not what their digest says. */
  | "invalid"
  /** The image is there and cannot be used. */
  | "unsupported"
  /** The registry said no for a reason of its own. */
  | "refused"
  /** Failed for now; might work later. */
  | "unavailable";

export class RegistryError extends Error {
  override readonly name = "RegistryError";
  readonly failure: RegistryFailure;
  readonly status: number | undefined;
  /** What the user could do about it. */
  readonly hint: string | undefined;

  constructor(text: string, options: { failure: RegistryFailure; status?: number; hint?: string | undefined; cause?: unknown }) {
    super(text, options.cause === undefined ? undefined : { cause: options.cause });
    this.failure = options.failure;
    this.status = options.status;
    this.hint = options.hint;
  }
}

/** What advice depends on. */
export interface Asked {
  /** As the user writes it. */
  readonly registry: string;
  /** `pull "reference"`, `push "reference"`: what failed, ready to follow "Cannot". */
  readonly action: string;
  /** Whose credentials were sent, for example `user "ci" from config.json`; undefined: none were found. */
  readonly credentials: string | undefined;
  readonly allowsHttp: boolean;
}

const statusFailures: Readonly<Record<number, RegistryFailure>> = {
  401: "unauthorized",
  403: "denied",
  404: "not-found",
  429: "rate-limited",
};
const codeFailures: Readonly<Record<string, RegistryFailure>> = {
  UNAUTHORIZED: "unauthorized",
  DENIED: "denied",
  NAME_UNKNOWN: "name-unknown",
  MANIFEST_UNKNOWN: "not-found",
  BLOB_UNKNOWN: "not-found",
  TOOMANYREQUESTS: "rate-limited",
};

/** Reads an answer that says no, at most 64 KiB of it. */
export async function readRefusal(response: Response, asked: Asked): Promise<RegistryError> {
  const { code, message } = await readErrorBody(response);
  const byStatus = statusFailures[response.status];
  // Registries put all sorts of codes beside a 401 or 429; the status is what counts there.
  const failure =
    (response.status === 401 || response.status === 429 ? byStatus : undefined) ??
    codeFailures[code ?? ""] ??
    byStatus ??
    (response.status >= 500 || response.status === 408 || response.status === 499 ? "unavailable" : "refused");
  const detail = [code, message === undefined ? undefined : `(${message})`].filter(Boolean).join(" ");
  const text = `Cannot ${asked.action}: ${asked.registry} answered ${response.status}${detail === "" ? "" : ` ${detail}`}`;
  return new RegistryError(text, { failure, status: response.status, hint: adviseRefusal(failure, asked) });
}

async function readErrorBody(response: Response): Promise<{ code?: string; message?: string }> {
  const text = await response.bytes(64 * 1024).then(
    (bytes) => Buffer.from(bytes).toString("utf8"),
    () => "",
  );
  try {
    const { errors } = JSON.parse(text) as { errors?: { code?: unknown; message?: unknown; detail?: unknown }[] };
    const first = errors?.[0];
    const message = first?.message ?? first?.detail;
    return {
      ...(typeof first?.code === "string" ? { code: shorten(first.code) } : {}),
      ...(typeof message === "string" && message !== "" ? { message: shorten(message) } : {}),
    };
  } catch {
    return /^\s*</.test(text) || text.trim() === "" ? {} : { message: shorten(text) };
  }
}

function shorten(text: string): string {
  const line = [...redactText(text)].map((c) => (c < " " || c === "\u007f" ? " " : c)).join("");
  const trimmed = line.replace(/\s+/g, " ").trim();
  return trimmed.length > 300 ? `${trimmed.slice(0, 300)}…` : trimmed;
}

function adviseRefusal(failure: RegistryFailure, { registry, credentials }: Asked): string | undefined {
  const login = `run "docker login ${registry}" or set DOCKER_AUTH_CONFIG`;
  switch (failure) {
    case "unauthorized":
      return credentials === undefined
        ? `no credentials for ${registry} were found; ${login}`
        : `the credentials of ${credentials} were sent and not accepted; ${login}`;
    case "denied":
      return credentials === undefined
        ? `no credentials for ${registry} were found; ${login}`
        : `the credentials of ${credentials} were sent; they lack the permission for this repository`;
    case "name-unknown":
      return "the repository does not exist there; some registries want it created first";
    case "not-found":
      return credentials === undefined
        ? `check the name and the tag; if the repository is private, ${login}`
        : "check the name and the tag";
    case "rate-limited":
      return credentials === undefined ? `anonymous requests are limited; ${login}` : "wait, or ask through a mirror (--registry-mirror)";
    default:
      return undefined;
  }
}

/** Turns a connection's failure into a registry's; everything else, an abort for one, stays as it is. */
export function wrapHttpError(error: unknown, asked: Asked): unknown {
  if (!(error instanceof HttpError)) return error;
  const failure =
    error.failure === "tls" ? "tls" : error.failure === "protocol" || error.failure === "too-large" ? "invalid" : "unreachable";
  const transient = error.isTransient ? "unavailable" : failure;
  return new RegistryError(`Cannot ${asked.action}: ${error.message}`, {
    failure: transient,
    hint: adviseFailure(error, asked),
    cause: error,
  });
}

/** What OpenSSL says when the other side answers its greeting in plain text. */
export function speaksPlainHttp(error: HttpError): boolean {
  return /wrong version number|packet length too long|http request/i.test(error.message);
}

function adviseFailure(error: HttpError, { registry, allowsHttp }: Asked): string | undefined {
  switch (error.failure) {
    case "tls":
      return speaksPlainHttp(error)
        ? `it seems to speak plain HTTP; add --insecure-registry ${registry}`
        : `add --registry-certificate ${registry}=FILE with the authority's certificate, or --skip-tls-verify-registry ${registry}`;
    case "refused":
    case "unreachable":
      return allowsHttp
        ? `check that ${registry} runs and can be reached from here`
        : `check the host and port; if it speaks plain HTTP, add --insecure-registry ${registry}`;
    case "unresolved":
      return `check the name of the registry, "${registry}"`;
    case "proxy":
      return "check HTTP_PROXY, HTTPS_PROXY and NO_PROXY";
    default:
      return undefined;
  }
}

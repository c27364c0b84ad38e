// Answers a registry's challenges: https://distribution.github.io/distribution/spec/auth/token/ and HTTP Basic.

import type { Http, Response } from "../http/http.ts";
import type { Report } from "../report/report.ts";
import { type Challenge, parseChallenges } from "./challenge.ts";
import type { Credentials, Keychain } from "./credentials.ts";
import { type Asked, RegistryError, readRefusal } from "./error.ts";

/** What a request wants to do: `repository:NAME:pull`, `repository:NAME:pull,push`. The first is the one that the request is about. */
export type Scopes = readonly [main: string, ...more: string[]];

export interface Authorizer {
  /** The value for `Authorization`; undefined while nothing has been asked for, or when nobody needs to know us. `isNew`: never sent before. */
  authorize(
    repository: string,
    scopes: Scopes,
    asked: Asked,
    signal?: AbortSignal,
  ): Promise<{ readonly value: string; readonly isNew: boolean } | undefined>;
  /** Takes in a 401: forgets what was sent, and learns what is wanted. Tells whether trying again makes sense. */
  learn(response: Response, repository: string, scopes: Scopes, sent: string | undefined): boolean;
  /** Whose credentials go to a repository, for people. */
  describe(repository: string): string | undefined;
}

interface Token {
  readonly value: string;
  readonly expiresAt: number;
}

/** A token this close to its end is not used any more. */
const marginMs = 10_000;
/** The token specification's default life. */
const usualLifeSeconds = 60;
const answerLimit = 1024 * 1024;

export function openAuthorizer(
  registry: string,
  tools: { readonly http: Http; readonly keychain: Keychain; readonly report: Report },
): Authorizer {
  let challenge: Challenge | undefined;
  const credentials = new Map<string, Promise<Credentials | undefined>>();
  const described = new Map<string, string>();
  const tokens = new Map<string, { readonly coming: Promise<Token>; value?: string }>();
  const extraScopes = new Map<string, readonly string[]>();

  async function findCredentials(repository: string): Promise<Credentials | undefined> {
    let found = credentials.get(repository);
    if (found === undefined) {
      found = tools.keychain.find(registry, repository);
      credentials.set(repository, found);
      found.then((known) => known && described.set(repository, known.described)).catch(() => credentials.delete(repository));
    }
    return found;
  }

  async function fetchToken(
    bearer: Challenge,
    scopes: readonly string[],
    repository: string,
    asked: Asked,
    signal?: AbortSignal,
  ): Promise<Token> {
    const known = await findCredentials(repository);
    if (known?.kind === "bearer") return { value: known.token, expiresAt: Number.POSITIVE_INFINITY };
    if (/^http:/i.test(bearer.parameters.realm ?? "") && known !== undefined && !asked.allowsHttp) {
      const hint = `add --insecure-registry ${registry} if that is wanted`;
      throw new RegistryError(`Cannot ${asked.action}: ${registry} wants credentials sent over plain HTTP`, { failure: "invalid", hint });
    }
    const response = await askForToken(tools.http, bearer, scopes, known, signal);
    if (response.status !== 200)
      throw await readRefusal(response, { ...asked, registry: new URL(response.url).host, credentials: known?.described });
    const token = readToken(await response.bytes(answerLimit), asked);
    tools.report.mask(token.value);
    return token;
  }

  return {
    async authorize(repository, scopes, asked, signal) {
      if (challenge === undefined) return undefined;
      if (challenge.scheme === "basic") {
        const known = await findCredentials(repository);
        if (known === undefined) return undefined;
        const pair = known.kind === "password" ? `${known.username}:${known.password}` : `<token>:${known.token}`;
        return { value: `Basic ${Buffer.from(pair).toString("base64")}`, isNew: true };
      }
      const wanted = [...new Set([...scopes, ...(extraScopes.get(scopes.join(" ")) ?? [])])];
      const key = wanted.join(" ");
      const kept = await tokens.get(key)?.coming.catch(() => undefined);
      if (kept !== undefined && kept.expiresAt - marginMs > Date.now()) return { value: `Bearer ${kept.value}`, isNew: false };
      const entry: { coming: Promise<Token>; value?: string } = { coming: fetchToken(challenge, wanted, repository, asked, signal) };
      tokens.set(key, entry);
      try {
        const { value } = await entry.coming;
        entry.value = `Bearer ${value}`;
        return { value: entry.value, isNew: true };
      } catch (error) {
        if (tokens.get(key) === entry) tokens.delete(key);
        throw error;
      }
    },
    learn(response, repository, scopes, sent) {
      const offered = parseChallenges(response.headers("www-authenticate"));
      const chosen = offered.find(({ scheme }) => scheme === "bearer") ?? offered.find(({ scheme }) => scheme === "basic");
      challenge = chosen ?? challenge;
      if (chosen?.scheme === "bearer") {
        const more = (chosen.parameters.scope ?? "").split(" ").filter((scope) => scope !== "" && !scopes.includes(scope));
        extraScopes.set(scopes.join(" "), more);
      }
      credentials.delete(repository);
      // Requests that went out together are refused together; the first has already replaced the token for the others.
      for (const [key, { value }] of tokens) if (value === sent) tokens.delete(key);
      return challenge !== undefined;
    },
    describe: (repository) => described.get(repository),
  };
}

async function askForToken(
  http: Http,
  { parameters }: Challenge,
  scopes: readonly string[],
  credentials: Credentials | undefined,
  signal: AbortSignal | undefined,
): Promise<Response> {
  const realm = parameters.realm ?? "";
  if (!URL.canParse(realm) || !/^https?:$/.test(new URL(realm).protocol))
    throw new RegistryError(`Cannot get a token: the registry names "${realm}" as its token server, which is no web address`, {
      failure: "invalid",
    });
  const service = parameters.service;
  if (credentials?.kind === "identity") {
    const form = new URLSearchParams({
      grant_type: "refresh_token",
      refresh_token: credentials.token,
      client_id: "slipway",
      scope: scopes.join(" "),
    });
    if (service !== undefined) form.set("service", service);
    const headers = { "content-type": "application/x-www-form-urlencoded" };
    return http.request("POST", realm, { headers, body: Buffer.from(form.toString()), signal, redirects: 0 });
  }
  const url = new URL(realm);
  if (service !== undefined) url.searchParams.set("service", service);
  for (const scope of scopes) url.searchParams.append("scope", scope);
  if (credentials?.kind !== "password") return http.request("GET", url.href, { signal });
  const { username, password } = credentials;
  const authorization = `Basic ${Buffer.from(`${username}:${password}`).toString("base64")}`;
  return http.request("GET", url.href, { headers: { authorization }, signal });
}

function readToken(bytes: Uint8Array, asked: Asked): Token {
  let answer: { token?: unknown; access_token?: unknown; expires_in?: unknown } | null = null;
  try {
    answer = JSON.parse(Buffer.from(bytes).toString("utf8"));
  } catch {
    // Answered below: the text itself may hold the token and is not shown.
  }
  const value = answer?.token || answer?.access_token;
  if (typeof value !== "string" || !/^[\x21-\x7e]+$/.test(value))
    throw new RegistryError(`Cannot ${asked.action}: the token server of ${asked.registry} gave no token`, { failure: "invalid" });
  const seconds = typeof answer?.expires_in === "number" && answer.expires_in > 0 ? answer.expires_in : usualLifeSeconds;
  return { value, expiresAt: Date.now() + seconds * 1000 };
}

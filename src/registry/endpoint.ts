// Which hosts serve a registry's images, how they may be spoken to, and where a repository lies on them.

import { isIPv4 } from "node:net";
import type { HostTls } from "../http/http.ts";
import { dockerHub, normalizeRegistry, type Reference } from "../image/reference.ts";
import type { RegistryOptions } from "./registry.ts";

export type Direction = "pull" | "push";

/** A repository on one host. */
export interface Place {
  readonly registry: string;
  readonly repository: string;
}

/** Where to look for an image, in order: what `--registry-map` and `--registry-mirror` name, then the registry itself. */
export function placesOf(reference: Reference, options: RegistryOptions): readonly Place[] {
  const registry = normalizeRegistry(reference.registry);
  const mapped = Object.entries(options.map).flatMap(([key, values]) => (normalizeRegistry(stripScheme(key)) === registry ? values : []));
  const mirrors = registry === dockerHub ? options.mirrors : [];
  const stand = [...mapped, ...mirrors].map((value) => placeAt(value, reference.repository));
  const own = { registry, repository: reference.repository };
  return stand.length > 0 && options.skipDefaultRegistryFallback ? stand : [...stand, own];
}

function placeAt(mirror: string, repository: string): Place {
  const [host = "", ...prefix] = stripScheme(mirror).replace(/\/+$/, "").split("/");
  return { registry: normalizeRegistry(host), repository: [...prefix, repository].join("/") };
}

function stripScheme(text: string): string {
  return text.replace(/^https?:\/\//i, "");
}

/** The host that answers for a registry; Docker Hub's API has one of its own. */
export function apiHost(registry: string): string {
  return registry === dockerHub ? "registry-1.docker.io" : registry;
}

/** Whether plain HTTP may be tried when HTTPS does not work. */
export function allowsHttp(registry: string, direction: Direction, options: RegistryOptions): boolean {
  const all = direction === "push" ? options.insecure : options.insecurePull;
  return all || isListed(options.insecureRegistries, registry) || isLocal(registry);
}

/** go-containerregistry's rule: this machine, `.local` names, private networks. */
export function isLocal(registry: string): boolean {
  const host = registry.replace(/:\d+$/, "").replace(/^\[|\]$/g, "");
  if (host === "localhost" || host === "::1" || /\.local(host)?$/.test(host)) return true;
  return isIPv4(host) && /^(127\.|10\.|192\.168\.|172\.(1[6-9]|2\d|3[01])\.)/.test(host);
}

/** What the flags say about TLS with a host; hosts that a registry redirects to are covered by their own names alone. */
export function tlsOf(host: string, direction: Direction, options: RegistryOptions): HostTls {
  const registry = normalizeRegistry(host);
  const skipsAll = options.skipTlsVerify || (direction === "pull" && options.skipTlsVerifyPull);
  const client = lookUp(options.clientCertificates, registry);
  const authority = lookUp(options.certificates, registry);
  return {
    skipVerify: skipsAll || isListed(options.skipTlsVerifyRegistries, registry),
    ...(authority === undefined ? {} : { authorities: [authority] }),
    ...(client === undefined ? {} : { client }),
  };
}

function isListed(names: readonly string[], registry: string): boolean {
  return names.some((name) => normalizeRegistry(stripScheme(name)) === registry);
}

function lookUp<T>(table: Readonly<Record<string, T>>, registry: string): T | undefined {
  return Object.entries(table).find(([name]) => normalizeRegistry(stripScheme(name)) === registry)?.[1];
}

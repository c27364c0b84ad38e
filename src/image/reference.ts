// Image references: registry, repository, tag and digest, normalised as Docker does it.

import { type Digest, isDigest } from "./digest.ts";

/** `registry/repository[:tag][@digest]`; `registry` is `index.docker.io` for Docker Hub, and its single-word repositories start with `library/`. */
export interface Reference {
  readonly registry: string;
  readonly repository: string;
  readonly tag?: string;
  readonly digest?: Digest;
}

export const dockerHub = "index.docker.io";

const component = /^[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*$/;
const tagPattern = /^[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}$/;
const hostPattern = /^(?:\[[0-9a-fA-F:]+\]|[A-Za-z0-9](?:[A-Za-z0-9.-]*[A-Za-z0-9])?)(?::\d{1,5})?$/;

/** Gives every spelling of Docker Hub's host its one name, and lower-cases hosts, save where only upper case shows that it is one. */
export function normalizeRegistry(host: string): string {
  const lower = host.toLowerCase();
  if (lower === "docker.io" || lower === "registry-1.docker.io" || lower === "registry.hub.docker.com") return dockerHub;
  return /[.:[]/.test(lower) || lower === "localhost" ? lower : host;
}

/**
 * Reads a reference after https://github.com/distribution/reference. A tag is not invented here; see `withDefaultTag`.
 * Throws a SyntaxError that quotes the text, says what is wrong, and where it can, how to mend it.
 */
export function parseReference(text: string): Reference {
  const fail = (why: string) => new SyntaxError(`Cannot read image reference "${text}": ${why}`);
  if (text === "") throw fail("it is empty");
  if (/^[a-z]+:\/\//i.test(text)) throw fail("it must not start with a scheme; write registry/repository:tag");
  if (/\s/.test(text)) throw fail("it holds white space");
  let rest = text;
  let digest: Digest | undefined;
  const at = rest.indexOf("@");
  if (at >= 0) {
    const given = rest.slice(at + 1);
    if (!isDigest(given)) throw fail(`"${given}" is no digest; it must be sha256: and 64 hex digits`);
    digest = given;
    rest = rest.slice(0, at);
  }
  const slash = rest.indexOf("/");
  const first = slash < 0 ? "" : rest.slice(0, slash);
  const namesHost = slash >= 0 && (/[.:[]/.test(first) || first === "localhost" || first !== first.toLowerCase());
  let registry = dockerHub;
  if (namesHost) {
    if (!hostPattern.test(first)) throw fail(`"${first}" is no registry host`);
    registry = normalizeRegistry(first);
    rest = rest.slice(slash + 1);
  }
  let tag: string | undefined;
  const colon = rest.lastIndexOf(":");
  if (colon > rest.lastIndexOf("/")) {
    tag = rest.slice(colon + 1);
    if (!tagPattern.test(tag)) throw fail(`"${tag}" is no tag; letters, digits, "_", "." and "-" are allowed, 128 at most`);
    rest = rest.slice(0, colon);
  }
  if (rest === "") throw fail("the repository is missing");
  if (/^[0-9a-f]{64}$/.test(rest) && !namesHost) throw fail("a bare 64-digit identifier cannot name a repository");
  for (const part of rest.split("/")) {
    if (component.test(part)) continue;
    if (component.test(part.toLowerCase())) throw fail(`the repository must be lower-case; write "${rest.toLowerCase()}"`);
    throw fail(`"${part}" is no part of a repository name`);
  }
  if (rest.length > 255) throw fail("the repository is longer than 255 characters");
  const repository = registry === dockerHub && !rest.includes("/") ? `library/${rest}` : rest;
  return { registry, repository, ...(tag === undefined ? {} : { tag }), ...(digest === undefined ? {} : { digest }) };
}

/** Adds the tag `latest` where there is neither a tag nor a digest. */
export function withDefaultTag(reference: Reference): Reference {
  return reference.tag === undefined && reference.digest === undefined ? { ...reference, tag: "latest" } : reference;
}

/** `registry/repository`, the form that digest files and mounts use. */
export function repositoryName(reference: Reference): string {
  return `${reference.registry}/${reference.repository}`;
}

/** The full text of a reference; parsing it again gives the same value. */
export function formatReference(reference: Reference): string {
  const tag = reference.tag === undefined ? "" : `:${reference.tag}`;
  const digest = reference.digest === undefined ? "" : `@${reference.digest}`;
  return `${repositoryName(reference)}${tag}${digest}`;
}

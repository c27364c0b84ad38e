// What `--build-context NAME=VALUE` says: files and images that stand for the names FROM and COPY --from use.

import { type ContextSource, isGitSource, parseGitSource } from "../context/context.ts";
import { redactText } from "../http/http.ts";
import { type ImageName, parseLayoutReference } from "../image/layout.ts";
import { formatPlatform, type Platform } from "../image/platform.ts";
import { formatReference, parseReference, withDefaultTag } from "../image/reference.ts";
import type { CopyStep, Source } from "./plan.ts";

export type NamedContext =
  | { readonly kind: "scratch" }
  | { readonly kind: "image"; readonly reference: ImageName }
  | { readonly kind: "files"; readonly source: ContextSource };

/** The contexts that were given, found by any spelling of their names. */
export interface NamedContexts {
  /** `name` is as it was given; one for the platform, `NAME::PLATFORM`, goes before the others. */
  find(name: string, platform: Platform): { readonly name: string; readonly context: NamedContext } | undefined;
}

/** Throws a SyntaxError for the first value that is none. */
export function readNamedContexts(given: ReadonlyMap<string, string>): NamedContexts {
  const contexts = new Map(
    [...given].map(([name, value]) => {
      const [base = "", platform] = name.split("::");
      const key = `${contextKey(base)} ${platform ?? ""}`;
      return [key, { name, context: readNamedContext(name, value) }];
    }),
  );
  return {
    find(name, platform) {
      const key = contextKey(name);
      return contexts.get(`${key} ${formatPlatform(platform)}`) ?? contexts.get(`${key} `);
    },
  };
}

const reserved = ["scratch", "context"];

/** Reads a value; throws a SyntaxError for what is none. */
export function readNamedContext(name: string, value: string): NamedContext {
  const fail = (why: string) => new SyntaxError(`Cannot use build context "${name}=${redactText(value)}": ${why}`);
  if (reserved.includes(name.toLowerCase())) throw fail(`the name "${name}" is reserved`);
  const image = /^docker-image:\/\/(.*)$/.exec(value)?.[1];
  if (image === "scratch") return { kind: "scratch" };
  if (image !== undefined) return { kind: "image", reference: withDefaultTag(parseReference(image)) };
  const layout = parseLayoutReference(value);
  if (layout !== undefined) return { kind: "image", reference: layout };
  if (isGitSource(value)) {
    try {
      return { kind: "files", source: { kind: "git", source: parseGitSource(value) } };
    } catch (error) {
      throw error instanceof SyntaxError ? fail(error.message) : error;
    }
  }
  if (/^https?:\/\//i.test(value)) return { kind: "files", source: { kind: "web", url: value } };
  if (value.startsWith("target:")) throw fail("it names a target of a bake file; name a stage of the Dockerfile itself instead");
  const scheme = /^[a-z][a-z0-9+.-]*:\/\//i.exec(value)?.[0];
  if (scheme !== undefined)
    throw fail(`unsupported context source ${scheme}; give a directory, docker-image://, oci-layout://, a git repository or https://`);
  if (!value.startsWith("/")) throw fail("it must be an absolute directory");
  return { kind: "files", source: { kind: "directory", path: value } };
}

/** One key for all spellings of a name: stages and images are named in the same way, and `:latest` may be left out. */
function contextKey(name: string): string {
  try {
    return formatReference(withDefaultTag(parseReference(name.toLowerCase())));
  } catch {
    return name.toLowerCase();
  }
}

/** The step that fills a stage which is FROM files: all of them, as they are. */
export function fillStep(name: string, from: ContextSource, source: Source): CopyStep {
  return {
    kind: "copy",
    source,
    createdBy: `[context ${name}] ${describeFiles(from)}`,
    from: { kind: "context", name },
    sources: [{ kind: "path", path: "", unpack: false }],
    parents: false,
    link: true,
    exclude: [],
    destination: "/",
    chown: undefined,
    chmod: undefined,
  };
}

/** In BuildKit's words, without secrets. */
export function describeFiles(from: ContextSource): string {
  if (from.kind === "git") return redactText(from.source.remote);
  return from.kind === "web" ? redactText(from.url) : "load from client";
}

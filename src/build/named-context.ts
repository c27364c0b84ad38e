// What `--build-context NAME=VALUE` says: files and images that stand for the names FROM and COPY --from use.

import { type ContextSource, isGitSource, parseGitSource } from "../context/context.ts";
import { redactText } from "../http/http.ts";
import { formatReference, parseReference, type Reference, withDefaultTag } from "../image/reference.ts";

export type NamedContext =
  | { readonly kind: "image"; readonly reference: Reference }
  | { readonly kind: "files"; readonly source: ContextSource };

const reserved = ["scratch", "context"];

/** Reads a value; throws a SyntaxError for what is none. */
export function readNamedContext(name: string, value: string): NamedContext {
  const fail = (why: string) => new SyntaxError(`Cannot use build context "${name}=${redactText(value)}": ${why}`);
  if (reserved.includes(name.toLowerCase())) throw fail(`the name "${name}" is reserved`);
  const image = /^docker-image:\/\/(.*)$/.exec(value)?.[1];
  if (image !== undefined) return { kind: "image", reference: withDefaultTag(parseReference(image)) };
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
    throw fail(`unsupported context source ${scheme}; give a directory, docker-image://, a git repository or https://`);
  if (!value.startsWith("/")) throw fail("it must be an absolute directory");
  return { kind: "files", source: { kind: "directory", path: value } };
}

/** One key for all spellings of a name: stages and images are named in the same way, and `:latest` may be left out. */
export function contextKey(name: string): string {
  try {
    return formatReference(withDefaultTag(parseReference(name.toLowerCase())));
  } catch {
    return name.toLowerCase();
  }
}

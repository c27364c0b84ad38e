// What `--build-context NAME=VALUE` says: directories and images that stand for the names FROM and COPY --from use.

import { formatReference, parseReference, type Reference, withDefaultTag } from "../image/reference.ts";

export type NamedContext =
  | { readonly kind: "image"; readonly reference: Reference }
  /** Absolute. */
  | { readonly kind: "directory"; readonly path: string };

const reserved = ["scratch", "context"];

/** Reads a value; throws a SyntaxError for what is none, and for the kinds that are not yet supported. */
export function readNamedContext(name: string, value: string): NamedContext {
  const fail = (why: string) => new SyntaxError(`Cannot use build context "${name}=${value}": ${why}`);
  if (reserved.includes(name.toLowerCase())) throw fail(`the name "${name}" is reserved`);
  const image = /^docker-image:\/\/(.*)$/.exec(value)?.[1];
  if (image !== undefined) return { kind: "image", reference: withDefaultTag(parseReference(image)) };
  const scheme = /^[a-z][a-z0-9+.-]*:\/\//i.exec(value)?.[0] ?? /^git@/.exec(value)?.[0];
  if (scheme !== undefined) throw fail(`${scheme} is not yet supported; give a directory or docker-image://REFERENCE`);
  if (!value.startsWith("/")) throw fail("it must be an absolute directory");
  return { kind: "directory", path: value };
}

/** One key for all spellings of a name: stages and images are named in the same way, and `:latest` may be left out. */
export function contextKey(name: string): string {
  try {
    return formatReference(withDefaultTag(parseReference(name.toLowerCase())));
  } catch {
    return name.toLowerCase();
  }
}

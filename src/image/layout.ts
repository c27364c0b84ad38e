// The names of images in OCI layouts on disk, and of images wherever they are.

import { type Digest, isDigest } from "./digest.ts";
import { formatReference, type Reference } from "./reference.ts";

/** An image in a directory after https://github.com/opencontainers/image-spec/blob/main/image-layout.md. */
export interface LayoutReference {
  /** Absolute. */
  readonly directory: string;
  /** What `index.json` calls it. */
  readonly tag?: string;
  readonly digest?: Digest;
}

export type ImageName = Reference | LayoutReference;

const scheme = "oci-layout://";

/** Reads `oci-layout://DIRECTORY[:TAG][@DIGEST]`; undefined where it is none. Throws a SyntaxError. */
export function parseLayoutReference(text: string): LayoutReference | undefined {
  if (!text.startsWith(scheme)) return undefined;
  const [place = "", digest] = text.slice(scheme.length).split(/@(?=[^/]*$)/);
  const [, directory = "", tag] = /^(.*?)(?::([^/:]*))?$/s.exec(place) ?? [];
  const fail = (why: string) => new SyntaxError(`Cannot read "${text}": ${why}`);
  if (!directory.startsWith("/")) throw fail("its directory must be absolute");
  if (tag === "") throw fail("its tag is empty");
  if (digest !== undefined && !isDigest(digest)) throw fail(`"${digest}" is no digest; it must be sha256: and 64 hex digits`);
  return { directory, ...(tag === undefined ? {} : { tag }), ...(digest === undefined ? {} : { digest }) };
}

/** One text for each image. */
export function formatImageName(name: ImageName): string {
  if (!("directory" in name)) return formatReference(name);
  const { directory, tag, digest } = name;
  return `${scheme}${directory}${tag === undefined ? "" : `:${tag}`}${digest === undefined ? "" : `@${digest}`}`;
}

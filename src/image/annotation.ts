// Annotations: notes about an image, kept beside it in one of four places; where BuildKit's exporters put them.

import { formatPlatform, type Platform } from "./platform.ts";

/** A manifest, an index, or the descriptor that names one of them in an index or in the `index.json` of an OCI layout. */
export const annotationLevels = ["manifest", "manifest-descriptor", "index", "index-descriptor"] as const;

export interface Annotation {
  readonly level: (typeof annotationLevels)[number];
  /** Of manifests and their descriptors: the only one meant; absent: all. */
  readonly platform?: Platform;
  readonly key: string;
  readonly value: string;
}

/** A document's own annotations, and those of its descriptor. */
export interface Annotations {
  readonly document: Readonly<Record<string, string>>;
  readonly descriptor: Readonly<Record<string, string>>;
}

/** Those of one platform's image; what names the platform wins over what is for all. */
export function annotationsOfImage(all: readonly Annotation[], platform: Platform): Annotations {
  const name = formatPlatform(platform);
  const general = all.filter((one) => one.platform === undefined);
  const own = all.filter((one) => one.platform !== undefined && formatPlatform(one.platform) === name);
  return {
    document: collect([...general, ...own], "manifest"),
    descriptor: collect([...general, ...own], "manifest-descriptor"),
  };
}

export function annotationsOfIndex(all: readonly Annotation[]): Annotations {
  return { document: collect(all, "index"), descriptor: collect(all, "index-descriptor") };
}

function collect(all: readonly Annotation[], level: Annotation["level"]): Record<string, string> {
  return Object.fromEntries(all.filter((one) => one.level === level).map(({ key, value }) => [key, value]));
}

/** Annotations that turn Docker's media types into OCI's, as in BuildKit: all but those of manifests. */
export function needsOciTypes(all: readonly Annotation[]): boolean {
  return all.some(({ level }) => level !== "manifest");
}

// The images that FROM and COPY --from name, each asked for once.

import { alignHistory } from "../image/encode.ts";
import { inheritConfig } from "../image/inherit.ts";
import { formatPlatform, type Platform } from "../image/platform.ts";
import { formatReference, type Reference } from "../image/reference.ts";
import type { Registry, ResolvedImage } from "../registry/registry.ts";
import type { Base } from "./plan.ts";

export interface Bases {
  image(reference: Reference, platform: Platform): Promise<ResolvedImage>;
  /** What planning must know of it. */
  base(reference: Reference, platform: Platform): Promise<Base>;
}

/** One name for an image and platform. */
export function baseKey(reference: Reference, platform: Platform): string {
  return `${formatReference(reference)} ${formatPlatform(platform)}`;
}

export function openBases(registry: Registry, signal: AbortSignal): Bases {
  const known = new Map<string, Promise<ResolvedImage>>();
  const image = (reference: Reference, platform: Platform) => {
    const key = baseKey(reference, platform);
    const found = known.get(key) ?? registry.resolve(reference, platform, signal);
    known.set(key, found);
    return found;
  };
  return {
    image,
    async base(reference, platform) {
      const found = await image(reference, platform);
      return { reference, digest: found.digest, platform: found.platform, config: inheritConfig(alignHistory(found.config)) };
    },
  };
}

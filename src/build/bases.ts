// The images that FROM and COPY --from name, each asked for once.

import { alignHistory } from "../image/encode.ts";
import { inheritConfig } from "../image/inherit.ts";
import { formatImageName, type ImageName } from "../image/layout.ts";
import { formatPlatform, type Platform } from "../image/platform.ts";
import { type Registry, type ResolvedImage, resolveLayout } from "../registry/registry.ts";
import type { Base } from "./plan.ts";

export type BaseImage = Omit<ResolvedImage, "reference">;

export interface Bases {
  image(reference: ImageName, platform: Platform): Promise<BaseImage>;
  /** What planning must know of it. */
  base(reference: ImageName, platform: Platform): Promise<Base>;
}

/** One name for an image and platform. */
export function baseKey(reference: ImageName, platform: Platform): string {
  return `${formatImageName(reference)} ${formatPlatform(platform)}`;
}

export function openBases(registry: Registry, signal: AbortSignal): Bases {
  const known = new Map<string, Promise<BaseImage>>();
  const resolve = (reference: ImageName, platform: Platform): Promise<BaseImage> =>
    "directory" in reference ? resolveLayout(reference, platform) : registry.resolve(reference, platform, signal);
  const image = (reference: ImageName, platform: Platform) => {
    const key = baseKey(reference, platform);
    const found = known.get(key) ?? resolve(reference, platform);
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

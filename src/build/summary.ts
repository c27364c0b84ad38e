// What the report shows when a build has ended well.

import type { EncodedImage } from "../image/encode.ts";
import type { ResultSummary } from "../report/report.ts";
import type { BuiltStage } from "./built-stage.ts";

/** The layers from the bottom to the top, with the history line of each, and the digests. */
export function summarize(image: EncodedImage, stage: BuiltStage | undefined, written: readonly string[]): ResultSummary {
  const made = stage?.made ?? [];
  const { layers, config } = image.image;
  const inherited = layers.length - made.length;
  const lines = (config.history ?? []).filter((line) => !line.empty_layer);
  return {
    layers: layers.map((layer, i) => {
      const seconds = made[i - inherited]?.seconds;
      return {
        size: layer.descriptor.size,
        createdBy: lines[i]?.created_by ?? "",
        inherited: i < inherited,
        ...(seconds === undefined ? {} : { seconds }),
      };
    }),
    digest: image.manifest.descriptor.digest,
    configDigest: image.config.descriptor.digest,
    written,
  };
}

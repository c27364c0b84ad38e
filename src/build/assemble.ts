// Puts what the stages came to and the planned configuration together: the finished image.

import type { History, Image, ImageConfig, Layer, MediaFamily } from "../image/image.ts";
import type { BuiltStage, MadeLayer } from "./built-stage.ts";
import type { Plan, StagePlan } from "./plan.ts";

/** kaniko's `--reproducible` writes Go's zero time. */
const zeroTime = "0001-01-01T00:00:00Z";

export interface AssembleOptions {
  readonly reproducible: boolean;
  /** Instead of the base's. */
  readonly imageFormat: MediaFamily | undefined;
  /** RFC 3339: the time of an image that has no layer of its own. */
  readonly now: string;
  /** Those of the target as they are shipped. */
  readonly layers: readonly Layer[];
}

/** The target's image: each history line has a time, and lines and layers align. */
export function assembleImage(plan: Plan, stages: readonly (BuiltStage | undefined)[], target: number, options: AssembleOptions): Image {
  const stage = plan.stages[target];
  const built = stages[target];
  if (stage === undefined || built === undefined) throw new Error("Cannot assemble image: its target was not built");
  const { made } = built;
  const fixedTime = options.reproducible
    ? zeroTime
    : plan.epoch === undefined
      ? undefined
      : new Date(plan.epoch * 1000).toISOString().replace(".000Z", "Z");
  const history = timeHistory(stage, made, fixedTime, options.now);
  const created = fixedTime ?? history.at(-1)?.created ?? options.now;
  const config: ImageConfig = {
    ...stage.config,
    created,
    rootfs: { type: "layers", diff_ids: options.layers.map((layer) => layer.diffId) },
    history,
  };
  return { family: options.imageFormat ?? familyOf(built, options.layers), config, layers: options.layers };
}

/** The base's, save that zstd is OCI's alone: a Docker media type for it is what containerd knows and skopeo, podman and CRI-O refuse. */
function familyOf({ family }: BuiltStage, layers: readonly Layer[]): MediaFamily {
  return layers.some(({ compression }) => compression === "zstd") ? "oci" : family;
}

/** Layers have the time they were made; a line without a layer that of the layer before it, or of the first one after. */
function timeHistory(stage: StagePlan, made: readonly MadeLayer[], fixedTime: string | undefined, now: string): readonly History[] {
  const lines = stage.config.history ?? [];
  let next = 0;
  let time = made[0]?.created ?? now;
  return lines.map((line, i) => {
    if (i < stage.inheritedHistory) return line;
    if (!line.empty_layer) time = made[next++]?.created ?? time;
    return { created: fixedTime ?? time, ...line };
  });
}

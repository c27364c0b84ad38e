// What building a stage takes, and what comes of it.

import type { Cache, CachedLayer, Chain } from "../cache/cache.ts";
import type { LayerFiles } from "../filesystem/filesystem.ts";
import type { Helper } from "../helper/helper.ts";
import type { Digest } from "../image/digest.ts";
import type { Image, Layer } from "../image/image.ts";
import type { RawPath } from "../layer/entry.ts";
import type { Blobs } from "../layer/layer.ts";
import type { Report } from "../report/report.ts";
import type { Sandbox } from "../sandbox/sandbox.ts";
import type { BaseImage } from "./bases.ts";
import type { Downloads } from "./downloads.ts";
import type { PlaceOf } from "./failure.ts";
import type { Layers } from "./layers.ts";
import type { Origin, Plan } from "./plan.ts";
import type { CachePolicy, Hit, Resumption } from "./resume.ts";
import type { Contexts } from "./sources.ts";
import type { StateKeys } from "./stage-cache.ts";
import type { StageFiles } from "./stage-files.ts";
import type { KeyTools } from "./step-keys.ts";

export interface ExecuteTools {
  readonly report: Report;
  readonly signal: AbortSignal;
  readonly contexts: Contexts;
  readonly downloads: Downloads;
  readonly blobs: Blobs;
  readonly files: LayerFiles;
  /** A directory of this build's own, made when it is needed. */
  readonly scratch: string;
  readonly helper: Helper | undefined;
  readonly layers: Layers;
  readonly secrets: ReadonlyMap<string, Uint8Array>;
  /** Sockets of agents by id. */
  readonly ssh: ReadonlyMap<string, string>;
  /** The image behind an origin of kind `image`. */
  image(origin: Origin & { readonly kind: "image" }): Promise<BaseImage>;
  /** Opened at the first RUN, shared by all stages. */
  sandbox(): Promise<Sandbox>;
  readonly compression: "gzip" | "zstd";
  readonly compressionLevel: number | undefined;
  /** Lowers the times of new layers to 1970 and leaves the clock out of the image. */
  readonly reproducible: boolean;
  /** The same to SOURCE_DATE_EPOCH, where that is given; the clock stays out of the image then anyway. */
  readonly rewriteTimestamp: boolean;
  /** What new layers leave out; undefined: nothing. */
  readonly ignores: ((path: RawPath) => boolean) | undefined;
  /** `RULE LINE` for each build check that is to say nothing there. */
  readonly silenced: ReadonlySet<string>;
  readonly place: PlaceOf;
  /** undefined: every step is done. */
  readonly resumption: ResumptionTools | undefined;
  /** Called with each layer of the target as soon as it is known, from the bottom to the top of each stage. */
  onLayer(layer: Layer): void;
  /** The same for those that the cache has had. */
  onCached(layer: CachedLayer): void;
}

/** Where stages go on, and where what they come to is kept. */
export interface ResumptionTools extends Resumption {
  readonly cache: Cache;
  readonly policy: CachePolicy;
  /** The keys to keep things under: those of `keys`, but of stages that are built without the cache. */
  readonly kept: Resumption["keys"];
  readonly identify: KeyTools["identify"];
  readonly context: KeyTools["context"];
  accepts(chain: Chain): Promise<boolean>;
}

/** What a stage came to. */
export interface BuiltStage {
  readonly files: StageFiles;
  /** What lies below the layers that the build has made. */
  readonly root: StageFiles;
  readonly family: Image["family"];
  /** The layers that its steps and those of the stages it is built FROM made, from the bottom. */
  readonly made: readonly MadeLayer[];
  readonly fidelity: string;
  readonly keys: StateKeys | undefined;
}

/** When a layer was made, and how long it took. */
export interface MadeLayer {
  /** RFC 3339. */
  readonly created: string;
  readonly seconds: number;
  /** The layer as the cache has or is to have it; of one that cannot be written it comes to nothing. */
  readonly kept: Promise<CachedLayer | undefined> | undefined;
}

/** What a stage knows of the others. */
export interface Siblings {
  readonly plan: Plan;
  /** Its own place among them. */
  readonly number: number;
  readonly stages: readonly (Promise<BuiltStage> | undefined)[];
  /** Images that some stage unpacks. */
  readonly unpacked: ReadonlySet<Digest>;
  /** What the cache has of the stage. */
  readonly hit: Hit | undefined;
}

export interface StageTools extends ExecuteTools {
  /** Stops all stages. */
  fail(error: unknown): void;
}

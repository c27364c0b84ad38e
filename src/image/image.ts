// The values an image is made of: descriptors, layers, configuration and history, as the OCI image specification and Docker's
// image manifest version 2 schema 2 define them. Nothing here does I/O, except that a layer can be opened.

import type { Digest } from "./digest.ts";
import type { Platform } from "./platform.ts";

/** https://github.com/opencontainers/image-spec/blob/main/descriptor.md */
export interface Descriptor {
  readonly mediaType: string;
  readonly digest: Digest;
  /** Bytes. */
  readonly size: number;
  readonly urls?: readonly string[];
  readonly annotations?: Readonly<Record<string, string>>;
  readonly platform?: Platform;
}

/** How the bytes of a layer are wrapped. */
export type Compression = "gzip" | "zstd" | "none";

/**
 * A layer's bytes wherever they live. `open` may be called again and again; it yields the compressed bytes and fails at the end,
 * before its last chunk is handed out, when they do not match the descriptor.
 */
export interface Layer {
  readonly descriptor: Descriptor;
  /** Digest of the uncompressed tar. */
  readonly diffId: Digest;
  readonly compression: Compression;
  open(signal?: AbortSignal): AsyncIterable<Uint8Array>;
  /** The local file that holds the compressed bytes, when there is one. */
  readonly file?: string;
  /** Where a registry already has the blob: lets a push mount it instead of uploading it. */
  readonly origin?: { readonly registry: string; readonly repository: string };
}

/** Which family of media types an image's manifest, config and layers carry. */
export type MediaFamily = "oci" | "docker";

/** https://github.com/opencontainers/image-spec/blob/main/config.md, with Docker's additions. */
export interface ImageConfig {
  readonly architecture: string;
  readonly os: string;
  readonly variant?: string;
  readonly "os.version"?: string;
  readonly "os.features"?: readonly string[];
  /** RFC 3339. */
  readonly created?: string;
  readonly author?: string;
  readonly config?: ContainerConfig;
  readonly rootfs: { readonly type: "layers"; readonly diff_ids: readonly Digest[] };
  readonly history?: readonly History[];
}

/** The `config` object: what a container started from the image gets. */
export interface ContainerConfig {
  readonly User?: string;
  readonly ExposedPorts?: Readonly<Record<string, Record<string, never>>>;
  readonly Env?: readonly string[];
  readonly Entrypoint?: readonly string[] | null;
  readonly Cmd?: readonly string[] | null;
  readonly Volumes?: Readonly<Record<string, Record<string, never>>>;
  readonly WorkingDir?: string;
  readonly Labels?: Readonly<Record<string, string>>;
  readonly StopSignal?: string;
  /** Seconds. */
  readonly StopTimeout?: number;
  readonly ArgsEscaped?: boolean;
  readonly Healthcheck?: Healthcheck;
  readonly OnBuild?: readonly string[];
  readonly Shell?: readonly string[];
}

/** Durations are nanoseconds, as Docker stores them. */
export interface Healthcheck {
  readonly Test?: readonly string[];
  readonly Interval?: number;
  readonly Timeout?: number;
  readonly StartPeriod?: number;
  readonly StartInterval?: number;
  readonly Retries?: number;
}

/** One line of an image's history; `empty_layer` lines have no layer. */
export interface History {
  readonly created?: string;
  readonly created_by?: string;
  readonly author?: string;
  readonly comment?: string;
  readonly empty_layer?: boolean;
}

/** An image as a value: its configuration, and its layers from the bottom to the top. */
export interface Image {
  readonly family: MediaFamily;
  readonly config: ImageConfig;
  readonly layers: readonly Layer[];
}

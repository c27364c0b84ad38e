// Images in registries, and in layouts on disk: what a reference names, the bytes of its layers, and pushing what was built.

import { type BackOff, defaultBackOff, type Http, openHttp, type Proxies, type Roots, type Timeouts } from "../http/http.ts";
import type { Digest } from "../image/digest.ts";
import type { EncodedBlob, Release } from "../image/encode.ts";
import type { Descriptor, Image, Layer } from "../image/image.ts";
import type { Platform } from "../image/platform.ts";
import { normalizeRegistry, type Reference, repositoryName } from "../image/reference.ts";
import type { Blobs } from "../layer/layer.ts";
import type { Report } from "../report/report.ts";
import { type Client, openClient } from "./client.ts";
import { openKeychain } from "./credentials.ts";
import { allowsHttp, type Direction, type Place, tlsOf } from "./endpoint.ts";
import { openPull } from "./pull.ts";
import { openPush } from "./push.ts";
import { openRepository, type Repository } from "./repository.ts";
import { openSender } from "./sender.ts";
import { openTransfers } from "./transfer.ts";
import { probeUpload } from "./upload.ts";

export { type BaseFolder, openBaseFolder } from "./base-folder.ts";
export { RegistryError, type RegistryFailure } from "./error.ts";
export { resolveLayout } from "./layout.ts";
export type { Repository } from "./repository.ts";

/** Everything that flags and environment say about registries; the host fills it in. Registries are `host` or `host:port` as written by the user. */
export interface RegistryOptions {
  /** Plain HTTP is allowed for pushes, push checks and cache look-ups. */
  readonly insecure: boolean;
  /** Plain HTTP is allowed for pulls. */
  readonly insecurePull: boolean;
  /** Registries with which plain HTTP is allowed both ways. */
  readonly insecureRegistries: readonly string[];
  /** Both ways, as kaniko does it. */
  readonly skipTlsVerify: boolean;
  readonly skipTlsVerifyPull: boolean;
  readonly skipTlsVerifyRegistries: readonly string[];
  /** Registry → PEM file of authorities trusted for it on top of the roots. */
  readonly certificates: Readonly<Record<string, string>>;
  /** Registry → PEM files of the certificate to show it. */
  readonly clientCertificates: Readonly<Record<string, { readonly certificate: string; readonly key: string }>>;
  /** `host[:port][/prefix]`, asked in order before Docker Hub. */
  readonly mirrors: readonly string[];
  /** Registry → `host[:port][/prefix]` asked in order before it. Pulls alone. */
  readonly map: Readonly<Record<string, readonly string[]>>;
  /** Do not ask the registry itself when its mirrors or map entries fail. */
  readonly skipDefaultRegistryFallback: boolean;
  /** Further tries of a whole pull and of a whole push, 1 s, 2 s, 4 s … apart. */
  readonly downloadRetries: number;
  readonly pushRetries: number;
  /** Take the answer that a tag exists and must not be moved for success. */
  readonly ignoreImmutableTags: boolean;
  readonly dockerConfig: DockerConfigSource;
  readonly proxies: Proxies;
  readonly roots: Roots;
  readonly userAgent: string;
}

/** Where credentials are looked up. */
export interface DockerConfigSource {
  /** Path of a config.json; a missing file counts as empty. */
  readonly file?: string;
  /** The text of DOCKER_AUTH_CONFIG; asked before the file. */
  readonly json?: string;
  /** Environment of the credential helpers; without it they get this process's own. */
  readonly helperEnvironment?: Readonly<Record<string, string>>;
}

/** Registry options with nothing set: what tests and programs start from. */
export const defaultRegistryOptions: RegistryOptions = {
  insecure: false,
  insecurePull: false,
  insecureRegistries: [],
  skipTlsVerify: false,
  skipTlsVerifyPull: false,
  skipTlsVerifyRegistries: [],
  certificates: {},
  clientCertificates: {},
  mirrors: [],
  map: {},
  skipDefaultRegistryFallback: false,
  downloadRetries: 0,
  pushRetries: 0,
  ignoreImmutableTags: false,
  dockerConfig: {},
  proxies: {},
  roots: { files: [], directories: [] },
  userAgent: "slipway",
};

/** The distribution protocol: https://github.com/opencontainers/distribution-spec/blob/main/spec.md */
export interface Registry {
  /** The client that pulls go through, with the same proxies and certificates: for whatever else there is to download. */
  readonly http: Http;
  /** Reads manifest and configuration alone; an index is narrowed to `platform`. The same reference gives the same image for the life of the process. Of what the reference turns out to name, `documents` need not be asked for. */
  resolve(
    reference: Reference,
    platform: Platform,
    signal?: AbortSignal,
    documents?: Promise<readonly Uint8Array[]>,
  ): Promise<ResolvedImage>;
  /** A layer that lies in a registry and was not reached through `resolve`. */
  layer(origin: { readonly registry: string; readonly repository: string }, descriptor: Descriptor, diffId: Digest): Layer;
  /** Brings a layer's blob into `blobs`, verified, and gives a Layer whose file it is. Several calls for one digest share one download. */
  fetch(layer: Layer, blobs: Blobs, signal?: AbortSignal): Promise<Layer>;
  /** Starts and cancels an upload in each distinct repository; throws a RegistryError where it is refused. */
  checkPush(destinations: readonly Reference[], signal?: AbortSignal): Promise<void>;
  openPush(destinations: readonly Reference[], signal?: AbortSignal): Push;
  /** A repository of our own, for the cache: everything about it, the blobs of its layers too, is asked for as pushes are. Asks nothing yet. */
  repository(place: Pick<Reference, "registry" | "repository">): Repository;
  /** Bytes of layers so far. */
  transferred(): { readonly downloaded: number; readonly uploaded: number };
  close(): Promise<void>;
}

/** An image in a registry; its layers stream from there. */
export interface ResolvedImage extends Image {
  readonly reference: Reference;
  /** Of what the reference names: an index or a manifest. */
  readonly digest: Digest;
  readonly manifestDigest: Digest;
  /** Manifest and configuration to the byte: what keeps the image's digest when it is put elsewhere. */
  readonly documents: { readonly manifest: EncodedBlob; readonly config: EncodedBlob };
  /** The image's own. */
  readonly platform: Platform;
  /** The reference names a single manifest, which serves another platform than asked. */
  readonly otherPlatform: boolean;
}

export interface Push {
  /** Makes sure that every distinct repository has the layer: HEAD, mount, or upload once per registry. May be called while the build goes on. */
  layer(layer: Layer): Promise<void>;
  /** Waits for all layers of all images, then sends configs, manifests, and tags last. Gives one line per destination. */
  finish(release: Release): Promise<readonly { readonly reference: Reference; readonly digest: Digest }[]>;
  /** Stops what is under way and cancels started uploads. */
  abort(): Promise<void>;
}

export interface RegistryTools {
  readonly report: Report;
  /** For tests that cannot wait: how patient the client is. */
  readonly backOff?: Partial<BackOff>;
  readonly timeouts?: Partial<Timeouts>;
}

/** Opens the client; it connects to nothing, and runs no credential helper, before something is asked of it. */
export function openRegistry(options: RegistryOptions, tools: RegistryTools): Registry {
  const { report } = tools;
  const backOff = { ...defaultBackOff, ...tools.backOff };
  const keychain = openKeychain(options.dockerConfig, report);
  const transfers = openTransfers(report);
  /** Uploads that were never meant. */
  const farewells: Promise<void>[] = [];
  const https = { pull: openHttpFor("pull"), push: openHttpFor("push") };
  const clients = { pull: new Map<string, Client>(), push: new Map<string, Client>() };

  function openHttpFor(direction: Direction) {
    const { userAgent, proxies, roots } = options;
    const tlsFor = (host: string) => tlsOf(host, direction, options);
    return openHttp({ userAgent, proxies, roots, tlsFor, backOff, ...(tools.timeouts === undefined ? {} : { timeouts: tools.timeouts }) });
  }

  function clientOf(direction: Direction, registry: string): Client {
    const known = clients[direction].get(registry);
    if (known !== undefined) return known;
    const http = https[direction];
    const client = openClient(registry, { http, keychain, report, backOff, allowsHttp: allowsHttp(registry, direction, options) });
    clients[direction].set(registry, client);
    return client;
  }

  const ours = new Map<string, Repository>();
  const pullClient = (place: Place) => clientOf(ours.has(repositoryName(place)) ? "push" : "pull", place.registry);
  const pull = openPull(options, { report, backOff, transfers, client: pullClient });
  const sender = openSender({ report, backOff, transfers, knownAt: pull.knownAt });
  const { pushRetries: retries, ignoreImmutableTags } = options;
  const pushTools = { report, backOff, sender, retries, ignoreImmutableTags, client: (registry: string) => clientOf("push", registry) };

  function openOurs(place: Place): Repository {
    const client = clientOf("push", place.registry);
    return openRepository(place, { client, report, backOff, transfers, sender, know: pull.know });
  }

  return {
    http: https.pull,
    resolve: pull.resolve,
    layer: pull.layer,
    fetch: pull.fetch,
    async checkPush(destinations, signal) {
      const distinct = new Map(destinations.map((reference) => [repositoryName(reference), reference]));
      const probes = [...distinct.values()].map((reference) => {
        const target = { client: clientOf("push", normalizeRegistry(reference.registry)), repository: reference.repository };
        return probeUpload(target, `push to "${repositoryName(reference)}"`, signal);
      });
      for (const { cancelled } of await Promise.all(probes)) farewells.push(cancelled);
    },
    openPush: (destinations, signal) => openPush(destinations, pushTools, signal),
    repository({ registry, repository }) {
      const place = { registry: normalizeRegistry(registry), repository };
      const opened = ours.get(repositoryName(place)) ?? openOurs(place);
      ours.set(repositoryName(place), opened);
      return opened;
    },
    transferred: () => transfers.totals(),
    async close() {
      await Promise.all(farewells);
      await Promise.all([https.pull.close(), https.push.close()]);
    },
  };
}

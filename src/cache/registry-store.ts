// Records and blobs in a repository: a manifest for each record under a tag of its own, and the blobs as its layers.

import { digestOf } from "../image/encode.ts";
import type { Reference } from "../image/reference.ts";
import { type Registry, RegistryError, type Repository } from "../registry/registry.ts";
import type { Report } from "../report/report.ts";
import { mapBounded } from "./bounded.ts";
import { planEviction } from "./eviction.ts";
import { outermost } from "./last-use.ts";
import { decodeRecordManifest, encodeRecordManifest, type FoundManifest, keyOfTag, renewRecordManifest, tagOf } from "./record-manifest.ts";
import { type Key, type NewRecord, type PruneLimits, type PruneResult, type Store, worthNoting } from "./store.ts";

/** As many as the client opens connections to one host. */
const parallelLookups = 24;
/** A registry that fails so often in one look-up is not asked any further. */
const mostTroubles = 3;

/** A record as it lies in the repository. */
interface Listed extends FoundManifest {
  readonly manifest: Uint8Array;
}

export function openRegistryStore(
  place: Pick<Reference, "registry" | "repository">,
  tools: { readonly registry: Pick<Registry, "repository">; readonly report: Pick<Report, "emit"> },
): Store {
  const { report } = tools;
  const repository = tools.registry.repository(place);
  const name = `repository ${repository.registry}/${repository.repository}`;

  /** Records that are in use, and were last put long ago. */
  const stale = new Map<Key, Listed & { readonly key: Key }>();

  function passOver(key: Key, error: unknown): undefined {
    const why = error instanceof Error ? error.message : String(error);
    report.emit({ kind: "warning", text: `Passing over the record ${key} in ${name}: ${why}` });
  }

  /** Undefined where there is none, or none that is of use. */
  async function lookUp(key: Key, signal: AbortSignal | undefined): Promise<Listed | undefined> {
    const bytes = await repository.manifest(tagOf(key), signal);
    if (bytes === undefined) return undefined;
    try {
      return { ...decodeRecordManifest(bytes, key), manifest: bytes };
    } catch (error) {
      return passOver(key, error);
    }
  }

  async function put(record: NewRecord, signal: AbortSignal | undefined): Promise<void> {
    const { manifest, documents } = encodeRecordManifest(record, Date.now());
    const blobs = [...record.blobs, ...documents];
    const send = async () => {
      const sent = await Promise.allSettled(blobs.map((blob) => repository.send(blob, signal)));
      for (const outcome of sent) if (outcome.status === "rejected") throw outcome.reason;
      await repository.putManifest(tagOf(record.key), manifest, signal);
    };
    try {
      await send();
    } catch (error) {
      signal?.throwIfAborted();
      const isUnknown = error instanceof RegistryError && (error.status === 400 || error.status === 404);
      if (!isUnknown || !repository.doubt(blobs.map(({ descriptor }) => descriptor.digest))) throw error;
      await send();
    }
  }

  async function prune(limits: PruneLimits, signal: AbortSignal | undefined): Promise<PruneResult> {
    const now = Date.now();
    const keys = (await repository.tags(signal)).flatMap((tag) => keyOfTag(tag) ?? []);
    const found = await mapBounded([...new Set(keys)], parallelLookups, async (key) => {
      const record = await lookUp(key, signal);
      if (record === undefined) return [];
      const { blobs, manifest, createdAt } = record;
      return [{ key, size: manifest.byteLength, digest: digestOf(manifest), usedAt: createdAt, blobs, documents: [] }];
    });
    const plan = planEviction(found.flat(), limits, now);
    await mapBounded(limits.dryRun ? [] : plan.removed, parallelLookups, async ({ digest }) => {
      if (await repository.deleteManifest(digest, signal)) return;
      throw new Error(
        `Cannot prune ${name}: the registry does not let its clients delete; use its own rules for old tags, they start with "slipway-"`,
      );
    });
    if (!limits.dryRun && plan.removed.length > 0)
      report.emit({ kind: "notice", text: `The bytes in ${name} are freed when the registry collects its garbage` });
    const gone = new Map(plan.removed.flatMap(({ blobs }) => blobs.map(({ digest, size }) => [digest, size])));
    for (const digest of plan.keptBlobs.keys()) gone.delete(digest);
    const sizes = [...gone.values(), ...plan.removed.map(({ size }) => size)];
    return {
      removedRecords: plan.removed.length,
      removedBlobs: [...gone.keys()],
      freedBytes: sizes.reduce((total, size) => total + size, 0),
      keptRecords: plan.kept.length,
      keptBytes: plan.keptBytes,
    };
  }

  return {
    name,
    origin: { registry: repository.registry, repository: repository.repository },
    async find(keys, signal) {
      let troubles = 0;
      let answers = 0;
      const failures: { readonly key: Key; readonly error: unknown }[] = [];
      const found = await mapBounded(keys, parallelLookups, async (key) => {
        signal?.throwIfAborted();
        try {
          const record = await lookUp(key, signal);
          answers += 1;
          if (record === undefined) return [];
          if (Date.now() - record.createdAt > worthNoting * 1000) stale.set(key, { ...record, key });
          repository.know(record.named.map(({ digest }) => digest));
          return [[key, record.bytes] as const];
        } catch (error) {
          signal?.throwIfAborted();
          if (!mayPass(error) || ++troubles >= mostTroubles) throw error;
          failures.push({ key, error });
          return [];
        }
      });
      if (answers === 0 && failures[0] !== undefined) throw failures[0].error;
      for (const { key, error } of failures) passOver(key, error);
      return new Map(found.flat());
    },
    read: (blob, signal) => repository.read(blob, signal),
    async put(record, signal) {
      signal?.throwIfAborted();
      try {
        await put(record, signal);
        stale.delete(record.key);
      } catch (error) {
        signal?.throwIfAborted();
        throw advise(error, repository);
      }
    },
    prune,
    async close(signal) {
      // The registry does not say what was read. That this cannot be noted is no trouble to anybody.
      await mapBounded(outermost([...stale.values()]), parallelLookups, ({ key, manifest }) =>
        repository.putManifest(tagOf(key), renewRecordManifest(manifest, Date.now()), signal).catch(() => {}),
      );
      signal?.throwIfAborted();
      stale.clear();
    },
  };
}

/** Whether the next question may well be answered. */
function mayPass(error: unknown): boolean {
  return error instanceof RegistryError && ["unavailable", "rate-limited", "invalid", "refused"].includes(error.failure);
}

/** Most registries make a repository with its first push; some, Amazon's for one, want it made before. */
function advise(error: unknown, { registry, repository }: Repository): unknown {
  if (!(error instanceof RegistryError) || error.failure !== "name-unknown") return error;
  const { failure, status } = error;
  const hint = `create the repository "${repository}" at ${registry}, or name one that is there with --cache-repo`;
  return new RegistryError(error.message, { failure, hint, cause: error, ...(status === undefined ? {} : { status }) });
}

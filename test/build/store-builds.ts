// Builds with a store that has some trouble: the image is the one of a build without a cache, the trouble is told, and then the store is whole.

import assert from "node:assert/strict";
import { join } from "node:path";
import type { BuildResult, CacheStore, Request } from "../../src/build/build.ts";
import { parseReference } from "../../src/image/reference.ts";
import { directoryItem, fileItem, type Owner, openBuilder, putBase, temporaryDirectory } from "../support/build.ts";
import { startRegistry } from "../support/registry.ts";
import { outcomesOf, usualCache } from "./cached-builds.ts";

const dockerfile = `FROM BASE AS files
COPY one two /x/
WORKDIR /w
FROM BASE
COPY --from=files /x /x
WORKDIR /v
COPY main /main
COPY --link two /linked/`;

export interface StoreBuild extends Pick<BuildResult, "digest"> {
  readonly outcomes: Readonly<Record<string, readonly string[]>>;
  readonly warnings: readonly string[];
}

export interface StoreBuilds {
  /** Reads every byte of the image; `main` is the content of the file that is edited most. */
  build(main: string, store: CacheStore | undefined, maxAge?: number, more?: Partial<Request>): Promise<StoreBuild>;
}

export async function openStoreBuilds(owner: Owner): Promise<StoreBuilds> {
  const registry = await startRegistry(owner);
  await putBase(owner, registry, "base:1", [[directoryItem("etc"), fileItem("etc/a", "a")]]);
  const tars = await temporaryDirectory(owner);
  let turn = 0;
  return {
    async build(main, store, maxAge = usualCache.maxAge, more = {}) {
      const builder = await openBuilder(owner);
      const destination = parseReference(`${registry.host}/app:${++turn}`);
      const files = {
        one: "1".repeat(3000),
        two: "2".repeat(3000),
        main,
        Dockerfile: dockerfile.replaceAll("BASE", `${registry.host}/base:1`),
      };
      const { digest } = await builder.build(files, {
        cache: store && { ...usualCache, maxAge, stores: [store] },
        destinations: [destination],
        outputs: { tarPath: join(tars, `${turn}.tar`) },
        buildArgs: new Map([["SOURCE_DATE_EPOCH", "1500000000"]]),
        rewriteTimestamp: true,
        ...more,
      });
      const { events } = builder;
      return {
        digest: digest ?? "sha256:",
        outcomes: outcomesOf(events),
        warnings: events.flatMap((event) => (event.kind === "warning" ? [event.text] : [])),
      };
    },
  };
}

export interface Trouble {
  /** Every warning fits, and there is one; undefined: there is none. */
  readonly says: RegExp | undefined;
  /** There need not be a warning. */
  readonly maySayNothing?: boolean;
  /** Seconds, as `--cache-ttl` has it. */
  readonly maxAge?: number;
  /** Breaks the store, which an earlier build has filled; where it gives a function, that is called when the next ones have ended. */
  begin(): unknown;
  /** False: nothing can be put into the store any more. */
  readonly heals?: boolean;
}

/** By what `main` is. */
const cold = new Map<string, Promise<string>>();

/** What an image without a cache is, found out once in each process. */
export function digestWithout({ build }: StoreBuilds, main: string): Promise<string> {
  const digest = cold.get(main) ?? build(main, undefined).then((built) => built.digest ?? "");
  cold.set(main, digest);
  return digest;
}

/** Fills the store, gives it the trouble, and builds. */
export async function assertBearable(
  owner: Owner,
  store: CacheStore,
  { says, maySayNothing = false, maxAge, begin, heals = true }: Trouble,
): Promise<void> {
  const builds = await openStoreBuilds(owner);
  const { build } = builds;
  const [first, second] = [await digestWithout(builds, "first"), await digestWithout(builds, "second")];
  const filled = await build("first", store);
  assert.deepEqual([filled.digest, filled.warnings], [first, []]);
  const end = await begin();
  const same = await build("first", store, maxAge);
  const edited = await build("second", store, maxAge);
  if (typeof end === "function") await end();
  assert.deepEqual([same.digest, edited.digest], [first, second]);
  const warnings = [...same.warnings, ...edited.warnings];
  if (says === undefined) assert.deepEqual(warnings, []);
  else assert.ok((maySayNothing || warnings.length > 0) && warnings.every((text) => says.test(text)), warnings.join("\n") || "no warning");
  if (!heals) return;
  const mended = await build("third", store);
  const whole = await build("third", store);
  assert.deepEqual(whole.warnings, []);
  assert.deepEqual(Object.values(whole.outcomes).flat(), ["cached", "cached", "cached", "cached"]);
  assert.equal(whole.digest, mended.digest);
}

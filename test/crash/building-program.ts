// Builds once, with a store: `STORE MAIN`, the store as JSON. Says "begin", and what came of it as JSON.

import { join } from "node:path";
import type { CacheStore } from "../../src/build/build.ts";
import { outcomesOf, usualCache } from "../build/cached-builds.ts";
import { openBuilder } from "../support/build.ts";
import { makeBytes } from "../support/registry-image.ts";

const dockerfile = `FROM scratch AS files
COPY one two /x/
WORKDIR /w
COPY main /w/
FROM scratch
COPY --from=files /x /x
COPY --from=files /w/main /y/
COPY --link main /linked/`;

const [store = "null", main = ""] = process.argv.slice(2);
const stores = [JSON.parse(store) as CacheStore | null].filter((one) => one !== null);
const cleanUps: (() => unknown)[] = [];
const builder = await openBuilder({ after: (work) => cleanUps.push(work as () => unknown) });
const seed = Number(main);
const files = { one: makeBytes(400_000, 1), two: makeBytes(400_000, 2), main: makeBytes(200_000, 3 + seed), Dockerfile: dockerfile };
process.stdout.write("begin\n");
const { digest } = await builder.build(files, {
  cache: { ...usualCache, stores },
  outputs: { tarPath: join(builder.directory, "image.tar") },
  buildArgs: new Map([["SOURCE_DATE_EPOCH", "1500000000"]]),
  rewriteTimestamp: true,
});
for (const work of cleanUps.toReversed()) await work();
const warnings = builder.events.flatMap((event) => (event.kind === "warning" ? [event.text] : []));
process.stdout.write(`${JSON.stringify({ digest, warnings, outcomes: Object.values(outcomesOf(builder.events)).flat() })}\n`);

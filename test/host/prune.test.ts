// The command line of slipway prune, and what it prints.

import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { BuildFailure } from "../../src/build/failure.ts";
import type { Pruned, PruneRequest } from "../../src/build/prune.ts";
import { runShell } from "../../src/host/shell.ts";
import { coreWith, openTestSurroundings } from "./surroundings.ts";

const result = { removedRecords: 3, removedBlobs: [`sha256:${"0".repeat(64)}`] as const, freedBytes: 1500, keptRecords: 1, keptBytes: 20 };
const emptied = { removedRecords: 1, removedBlobs: [], freedBytes: 0, keptRecords: 0, keptBytes: 0 };

async function run(args: readonly string[], pruned: readonly Pruned[] = []) {
  const surroundings = openTestSurroundings(["prune", ...args]);
  const requests: PruneRequest[] = [];
  const core = coreWith({
    async prune(request) {
      requests.push(request);
      return pruned;
    },
  });
  const code = await runShell(core, surroundings);
  return { code, request: requests[0], said: surroundings.err.join(""), printed: surroundings.out.join("") };
}

describe("slipway prune", () => {
  test("reads stores and limits", async () => {
    const { code, request } = await run(["--cache-store=c", "--cache-repo=r.test/c", "--unused-for=1h30m", "--max-size=2GB", "--dry-run"]);
    assert.equal(code, 0);
    assert.deepEqual(request?.stores, [
      { kind: "directory", path: "/work/c", maxBytes: undefined },
      { kind: "repository", reference: { registry: "r.test", repository: "c" } },
    ]);
    assert.deepEqual(request?.limits, { unusedFor: 5400, maxBytes: 2e9, dryRun: true });
  });

  const places: readonly (readonly [args: readonly string[], stores: readonly string[]])[] = [
    [["--cache-repo=oci:dir"], ["layout /work/dir"]],
    [["--cache", "-d", "r.test/app:1"], ["repository app/cache"]],
    [
      ["--cache", "-d", "r.test/app:1", "--cache-store=a", "--cache-store=b"],
      ["directory /work/a", "directory /work/b"],
    ],
  ];
  for (const [args, stores] of places)
    test(`with ${args.join(" ")} prunes ${stores.join(" and ")}`, async () => {
      const { request } = await run([...args, "--max-size=0"]);
      const named = request?.stores.map((store) => {
        if (store.kind === "repository") return `${store.kind} ${store.reference.repository}`;
        return store.kind === "ci" ? store.kind : `${store.kind} ${store.path}`;
      });
      assert.deepEqual(named, stores);
      assert.deepEqual(request?.limits, { maxBytes: 0, dryRun: false });
    });

  const wrong: readonly (readonly [args: readonly string[], said: RegExp])[] = [
    [["--max-size=1GB"], /name what to prune with --cache-repo or --cache-store/],
    [["-d", "r.test/app:1", "--max-size=1GB"], /name what to prune with --cache-repo or --cache-store/],
    [["--cache-store=c"], /say what is to go with --unused-for=DURATION, --max-size=SIZE or both/],
    [["--cache-store=c", "--max-size=much"], /invalid argument "much" for --max-size: must be a size, as 10GB/],
    [["--cache-store=c", "--unused-for=7d"], /invalid argument "7d" for --unused-for: must be a number with a unit/],
    [["--cache-store=c", "--unused-for=-1h"], /invalid argument "-1h" for --unused-for: must be 0 or more/],
    [["--cache-store=ci", "--max-size=1"], /there is no cache service here/],
    [["--cache-store=c", "--max-size=1", "--target=x"], /flag --target has no meaning for slipway prune/],
    [["--max-size=1", "c"], /unexpected argument "c"/],
  ];
  for (const [args, said] of wrong)
    test(`refuses ${args.join(" ")}`, async () => {
      const outcome = await run(args);
      assert.equal(outcome.code, 1);
      assert.match(outcome.said, said);
      assert.equal(outcome.request, undefined);
    });

  test("prints a line for each store", async () => {
    const pruned = [
      { store: "directory /c", outcome: result },
      { store: "repository r.test/c", outcome: emptied },
    ];
    const gone = await run(["--cache-store=c", "--max-size=1"], pruned);
    assert.equal(
      gone.printed,
      "directory /c: removed 3 records and 1 blob, freed 1.5 kB; 1 record with 20 B stays\n" +
        "repository r.test/c: removed 1 record and 0 blobs, freed 0 B; 0 records with 0 B stay\n",
    );
    const dry = await run(["--cache-store=c", "--max-size=1", "--dry-run"], pruned);
    assert.match(dry.printed, /^directory \/c: would remove 3 records and 1 blob, would free 1\.5 kB; 1 record with 20 B stays\n/);
  });

  test("with --state-dir prunes the caches of RUN, too, and says so", async () => {
    const outcome = { removedCaches: 1, freedBytes: 2000, keptCaches: 2, keptBytes: 10 };
    const { code, request, printed } = await run(["--state-dir=s", "--max-size=1GB"], [{ store: "caches in /work/s", outcome }]);
    assert.deepEqual([code, request?.stores, request?.stateDir], [0, [], "/work/s"]);
    assert.equal(printed, "caches in /work/s: removed 1 cache, freed 2.0 kB; 2 caches with 10 B stay\n");
  });

  test("ends with 1 where a store failed, and says what became of the others", async () => {
    const outcome = new BuildFailure("Cannot prune repository r.test/c: it is away", { phase: "pruning cache" });
    const { code, said, printed } = await run(
      ["--cache-store=c", "--max-size=1"],
      [
        { store: "repository r.test/c", outcome },
        { store: "directory /c", outcome: result },
      ],
    );
    assert.equal(code, 1);
    assert.match(said, /error pruning cache: Cannot prune repository r\.test\/c: it is away/);
    assert.match(printed, /^directory \/c: removed 3 records/);
  });
});

// Whole builds with COPY and ADD: what their layers hold, and what is downloaded for them.

import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { parseReference } from "../../src/image/reference.ts";
import type { LayerItem } from "../../src/layer/entry.ts";
import { directoryItem, fileItem, openBuilder, putBase } from "../support/build.ts";
import { layerLines, pushed } from "../support/pushed.ts";
import { startRegistry } from "../support/registry.ts";

const passwd = fileItem("etc/passwd", "root:x:0:0::/root:/bin/sh\nwww:x:33:33::/var/www:/bin/sh\n");
const baseLayers = [
  [directoryItem("etc"), passwd, directoryItem("bin"), fileItem("bin/tool", "tool", { mode: 0o755 })],
  [fileItem("bin/more", "more")],
];

describe("COPY --link", () => {
  test("reads nothing of a base of the stage: its layers stand on their own", async (t) => {
    const registry = await startRegistry(t);
    const link: LayerItem = { entry: { ...passwd.entry, type: "symlink", path: "lnk", size: 0, link: "/etc" } };
    await putBase(t, registry, "base:1", [[directoryItem("etc", 0o711), passwd, link], [fileItem("more", "more")]], { WorkingDir: "/etc" });
    const builder = await openBuilder(t);
    const destinations = [parseReference(`${registry.host}/app:1`)];
    const lines = [
      "COPY --link --chown=5:6 src/a .",
      "COPY --link src /lnk/to",
      "COPY --link src /",
      "ADD --link --chown=root src/a $none",
    ];
    await builder.build({ Dockerfile: `FROM ${registry.host}/base:1\n${lines.join("\n")}`, "src/a": "A" }, { destinations });
    assert.equal(registry.count("GET", /\/blobs\/sha256/), 1, "only the configuration is read");
    const image = pushed(registry, "app", "1");
    assert.ok(image);
    assert.deepEqual(
      await Promise.all(image.manifest.layers.slice(2).map(({ digest }: { digest: string }) => layerLines(image.store, digest))),
      [
        ["d 755 5:6 etc", "f 644 5:6 etc/a A"],
        ["d 755 0:0 lnk", "d 755 0:0 lnk/to", "f 644 0:0 lnk/to/a A"],
        ["f 644 0:0 a A"],
        ["d 755 0:0 etc", "f 644 0:0 etc/a A"],
      ],
    );
  });

  test("looks into a base when a later step has to, below layers that did not", async (t) => {
    const registry = await startRegistry(t);
    await putBase(t, registry, "base:1", baseLayers);
    const builder = await openBuilder(t);
    const destinations = [parseReference(`${registry.host}/app:1`)];
    const dockerfile = `FROM ${registry.host}/base:1 AS a\nCOPY --link x /bin/\nFROM scratch\nCOPY --from=a /bin /bin`;
    await builder.build({ Dockerfile: dockerfile, x: "X" }, { destinations });
    const image = pushed(registry, "app", "1");
    assert.ok(image);
    assert.deepEqual(await layerLines(image.store, image.manifest.layers[0].digest), [
      "d 755 0:0 bin",
      "f 644 0:0 bin/more more",
      "f 755 0:0 bin/tool tool",
      "f 644 0:0 bin/x X",
    ]);
  });
});

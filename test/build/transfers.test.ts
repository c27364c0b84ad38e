// Whole builds with COPY and ADD: what their layers hold, and what is downloaded for them.

import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { createHash } from "node:crypto";
import type { RequestListener } from "node:http";
import { describe, test } from "node:test";
import { gzipSync } from "node:zlib";
import { BuildFailure } from "../../src/build/build.ts";
import { parseReference } from "../../src/image/reference.ts";
import type { LayerItem } from "../../src/layer/entry.ts";
import { directoryItem, fileItem, openBuilder, putBase } from "../support/build.ts";
import { startGitServer } from "../support/git-server.ts";
import { layerLines, layerTimes, pushed, tarOf } from "../support/pushed.ts";
import { startRegistry } from "../support/registry.ts";
import { serve } from "../support/web.ts";

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

const archive = await tarOf([directoryItem("d", 0o700), fileItem("d/f", "F", { uid: 5, gid: 6 }), fileItem("g", "G")]);

describe("ADD of an archive in the context", () => {
  const unpacked = ["d 700 0:0 d", "f 644 5:6 d/f F", "f 644 0:0 g G"];
  const wrappings: readonly (readonly [what: string, bytes: Buffer, gives: readonly string[], flags?: string])[] = [
    ["a plain tar", archive, unpacked],
    ["gzip", gzipSync(archive), unpacked],
    ["bzip2", execFileSync("bzip2", ["-c"], { input: archive }), unpacked],
    ["xz", execFileSync("xz", ["-c"], { input: archive }), unpacked],
    ["zstd", execFileSync("zstd", ["-c"], { input: archive }), unpacked],
    ["--chown, which reaches what is inside", archive, ["d 700 7:8 d", "f 644 7:8 d/f F", "f 644 7:8 g G"], "--chown=7:8"],
    ["--unpack=false", Buffer.from("not looked into"), ["f 644 0:0 a not looked into"], "--unpack=false"],
    ["gzip of what is no archive", gzipSync("x"), ["f 644 0:0 a "]],
    ["bzip2 of what is no archive", execFileSync("bzip2", ["-c"], { input: "x" }), ["f 644 0:0 a "]],
    ["what only begins like xz", Buffer.from("\xfd7zXZ\0 no", "latin1"), ["f 644 0:0 a "]],
    ["an empty file", Buffer.alloc(0), ["f 644 0:0 a"]],
  ];
  for (const [what, bytes, gives, flags = ""] of wrappings)
    test(what, async (t) => {
      const registry = await startRegistry(t);
      const builder = await openBuilder(t);
      const destinations = [parseReference(`${registry.host}/app:1`)];
      await builder.build({ Dockerfile: `FROM scratch\nADD ${flags} a /`, a: bytes }, { destinations });
      const image = pushed(registry, "app", "1");
      assert.ok(image);
      const found = await layerLines(image.store, image.manifest.layers[0].digest);
      assert.deepEqual(
        found.map((line) => (gives[0]?.endsWith(" ") ? line.slice(0, gives[0].length) : line)),
        gives,
      );
    });
});

describe("ADD of a URL", () => {
  const modified = "Wed, 21 Oct 2015 07:28:00 GMT";
  const files: RequestListener = (request, response) => {
    const path = request.url ?? "";
    if (path.startsWith("/moved/")) response.writeHead(302, { location: path.replace("/moved", "") }).end();
    else if (path === "/a.tar") response.writeHead(200, { "last-modified": modified }).end(archive);
    else if (path === "/wrapped") response.writeHead(200, { "content-encoding": "gzip" }).end(gzipSync("inner"));
    else if (path === "/private") response.writeHead(request.headers.authorization === "Basic dTpwQA==" ? 200 : 401).end("mine");
    else if (path === "/token") response.writeHead(request.headers.authorization === "Bearer t0ken" ? 200 : 401).end("for me");
    else if (path.startsWith("/gone")) response.writeHead(404).end("no such page");
    else response.writeHead(200, path === "/dated" ? { "last-modified": modified } : {}).end(`<${path}>`);
  };

  const rows: readonly (readonly [what: string, line: string, gives: readonly string[]])[] = [
    ["to a name", "ADD WEB/x/y?q=1#z /to", ["f 600 0:0 to </x/y?q=1>"]],
    ["into a directory, under the last part of its path", "ADD WEB/x/y?q=/n /to/", ["d 755 0:0 to", "f 600 0:0 to/y </x/y?q=/n>"]],
    ["with escapes in its name", "ADD WEB/%C3%A4+b /", ["f 600 0:0 \u00c3\u00a4+b </%C3%A4+b>"]],
    ["without a name", "ADD WEB /to/", ["d 755 0:0 to", "f 600 0:0 to/__unnamed__ </>"]],
    ["with owner and mode", "ADD --chown=7:8 --chmod=0413 WEB/x /d/x", ["d 413 7:8 d", "f 413 7:8 d/x </x>"]],
    ["through redirects, which do not name it", "ADD WEB/moved/moved/x /", ["f 600 0:0 x </x>"]],
    ["that is an archive, as it is", "ADD WEB/a.tar /b.tar", ["f 600 0:0 b.tar TAR"]],
    [
      "that is an archive, with --unpack",
      "ADD --unpack WEB/a.tar /to",
      ["d 755 0:0 to", "d 700 0:0 to/d", "f 644 5:6 to/d/f F", "f 644 0:0 to/g G"],
    ],
    ["with --unpack and --chown", "ADD --unpack=true --chown=9 WEB/a.tar /", ["d 700 9:9 d", "f 644 9:9 d/f F", "f 644 9:9 g G"]],
    ["that is no archive, with --unpack", "ADD --unpack WEB/x /", ["f 600 0:0 x </x>"]],
    ["that is wrapped on its way", "ADD WEB/wrapped /", ["f 600 0:0 wrapped inner"]],
    ["beside a local file", "ADD local WEB/x /", ["f 644 0:0 local L", "f 600 0:0 x </x>"]],
    ["twice", "ADD WEB/x WEB/x /", ["f 600 0:0 x </x>"]],
    ["with --link", "ADD --link WEB/x /", ["f 600 0:0 x </x>"]],
    ["with an account in it", "ADD USER/private /", ["f 600 0:0 private mine"]],
    ["with its checksum", `ADD --checksum=sha256:${createHash("sha256").update("</x>").digest("hex")} WEB/x /`, ["f 600 0:0 x </x>"]],
  ];
  for (const [what, line, gives] of rows)
    test(what, async (t) => {
      const registry = await startRegistry(t);
      const web = await serve(t, files);
      const builder = await openBuilder(t);
      const dockerfile = `FROM scratch\n${line.replaceAll("WEB", web).replaceAll("USER", web.replace("//", "//u:p%40@"))}`;
      await builder.build({ Dockerfile: dockerfile, local: "L" }, { destinations: [parseReference(`${registry.host}/app:1`)] });
      const image = pushed(registry, "app", "1");
      assert.ok(image);
      const found = await layerLines(image.store, image.manifest.layers[0].digest);
      assert.deepEqual(
        found.map((text) => text.replace(archive.toString(), "TAR")),
        gives,
      );
      assert.deepEqual(image.config.history?.[0]?.created_by?.startsWith("ADD "), true);
    });

  test("asks for a file once, and gives it the time the host gives, or 1970", async (t) => {
    const registry = await startRegistry(t);
    let asked = 0;
    const web = await serve(t, (request, response) => {
      asked += 1;
      files(request, response);
    });
    const builder = await openBuilder(t);
    const dockerfile = `FROM scratch AS a\nADD ${web}/dated /\nFROM scratch\nCOPY --from=a / /\nADD ${web}/dated ${web}/undated /new/`;
    await builder.build({ Dockerfile: dockerfile }, { destinations: [parseReference(`${registry.host}/app:1`)] });
    assert.equal(asked, 2);
    const image = pushed(registry, "app", "1");
    assert.ok(image);
    assert.deepEqual(await layerTimes(image.store, image.manifest.layers[1].digest), {
      "new/dated": Date.parse(modified) / 1000,
      "new/undated": 0,
    });
  });

  test("shows the host its secret, and no other host", async (t) => {
    const registry = await startRegistry(t);
    const web = await serve(t, files);
    const builder = await openBuilder(t);
    const destinations = [parseReference(`${registry.host}/app:1`)];
    const dockerfile = `FROM scratch\nADD ${web}/token /`;
    const build = (id: string) =>
      builder.build({ Dockerfile: dockerfile }, { destinations, secrets: new Map([[id, Buffer.from("t0ken\n")]]) });
    await assert.rejects(build("HTTP_AUTH_TOKEN_localhost"), /invalid response status 401/);
    await build("HTTP_AUTH_TOKEN_127.0.0.1");
    const image = pushed(registry, "app", "1");
    assert.ok(image);
    assert.deepEqual(await layerLines(image.store, image.manifest.layers[0].digest), ["f 600 0:0 token for me"]);
  });

  test("follows a connection that breaks with another try", async (t) => {
    const registry = await startRegistry(t);
    let asked = 0;
    const web = await serve(t, (_, response) => {
      response.writeHead(200, { "content-length": 8 });
      if (++asked === 1) response.write("half", () => response.destroy());
      else response.end("halfhalf");
    });
    const builder = await openBuilder(t);
    await builder.build({ Dockerfile: `FROM scratch\nADD ${web}/x /` }, { destinations: [parseReference(`${registry.host}/app:1`)] });
    const image = pushed(registry, "app", "1");
    assert.ok(image);
    assert.deepEqual(await layerLines(image.store, image.manifest.layers[0].digest), ["f 600 0:0 x halfhalf"]);
  });

  const failures: readonly (readonly [what: string, line: string, reason: RegExp])[] = [
    ["a file that is not there", "ADD WEB/gone?token=abc /", /Cannot download "http:[^"]*gone\?token=…": invalid response status 404$/],
    ["a host that does not answer", "ADD http://127.0.0.1:9/x /", /127\.0\.0\.1:9\/x": the connection was refused/],
    [
      "another file than the checksum's",
      `ADD --checksum=sha256:${"0".repeat(64)} WEB/x /`,
      new RegExp(
        `digest mismatch: it has sha256:${createHash("sha256").update("</x>").digest("hex")}, and --checksum asks for sha256:0{64}`,
      ),
    ],
  ];
  for (const [what, line, reason] of failures)
    test(`refuses ${what}`, async (t) => {
      const web = await serve(t, files);
      const builder = await openBuilder(t);
      const dockerfile = `FROM scratch\nWORKDIR /first\n${line.replaceAll("WEB", web)}`;
      await assert.rejects(builder.build({ Dockerfile: dockerfile }), (error) => {
        assert.ok(error instanceof BuildFailure);
        assert.match(error.message, reason);
        assert.equal(error.place?.line, 3);
        return true;
      });
      const started = builder.events.filter((event) => event.kind === "step-start").length;
      assert.equal(started, what.includes("checksum") ? 2 : 0);
    });
});

describe("ADD of a git repository", () => {
  test("puts what is in it into a directory, with flags as everywhere", async (t) => {
    const registry = await startRegistry(t);
    const git = await startGitServer(t);
    const builder = await openBuilder(t);
    const lines = [
      `ADD --chown=5:6 --exclude=bin ${git.url("smart")}#v1 /to`,
      `ADD --chmod=a-w --link ${git.url("smart")}?subdir=bin#v1 /bin/`,
      `ADD ${git.url("smart")}#v1 local /both/`,
    ];
    const destinations = [parseReference(`${registry.host}/app:1`)];
    await builder.build({ Dockerfile: `FROM scratch\n${lines.join("\n")}`, local: "L" }, { destinations });
    const image = pushed(registry, "app", "1");
    assert.ok(image);
    const layers = image.manifest.layers.map(({ digest }: { digest: string }) => layerLines(image.store, digest));
    assert.deepEqual(await Promise.all(layers), [
      ["d 755 5:6 to", "f 644 5:6 to/file one", "l to/link bin/tool 5:6"],
      ["d 755 0:0 bin", "f 555 0:0 bin/tool #!"],
      [
        "d 755 0:0 both",
        "d 755 0:0 both/bin",
        "f 755 0:0 both/bin/tool #!",
        "f 644 0:0 both/file one",
        "l both/link bin/tool",
        "f 644 0:0 both/local L",
      ],
    ]);
    assert.equal(image.config.history?.[0]?.created_by, `ADD --chown=5:6 ${git.url("smart")}#v1 /to # buildkit`);
  });

  test("is refused before the first step where there is no such ref", async (t) => {
    const git = await startGitServer(t);
    const builder = await openBuilder(t);
    await assert.rejects(builder.build({ Dockerfile: `FROM scratch\nWORKDIR /x\nADD ${git.url("smart")}#nope /` }), (error) => {
      assert.ok(error instanceof BuildFailure);
      assert.match(error.message, /does not contain ref nope/);
      assert.equal(error.place?.line, 3);
      return true;
    });
    assert.ok(!builder.events.some((event) => event.kind === "step-start"));
  });
});

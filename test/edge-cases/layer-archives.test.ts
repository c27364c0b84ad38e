// What stands in the archive of a layer: hard links, holes, long and strange names, large numbers, times, capabilities.

import assert from "node:assert/strict";
import { execFileSync, spawnSync } from "node:child_process";
import { openSync, readFileSync, utimesSync, writeFileSync, writeSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { toRaw } from "../../src/layer/entry.ts";
import { encodeEntry } from "../../src/layer/write-tar.ts";
import { end, header, item, member, pax, readAll } from "../layer/raw-tar.ts";
import { temporaryDirectory } from "../support/build.ts";
import { mountPoints, openWorkbench, testRows } from "./workbench.ts";

const bench = openWorkbench();

testRows(
  bench,
  [
    {
      what: "7.20 hard links inside a copied directory stay hard links",
      dockerfile: "FROM scratch\nCOPY d /x",
      gives: ["d 755 0:0 x", "f 644 0:0 x/a A", "h x/b x/a", "d 755 0:0 x/s", "h x/s/c x/a"],
    },
    {
      what: "7.20 with one owner and mode for all",
      dockerfile: "FROM scratch\nCOPY --chown=5:6 --chmod=600 d/s d /x/",
      gives: ["d 600 5:6 x", "f 600 5:6 x/a A", "h x/b x/a", "f 600 5:6 x/c A", "d 600 5:6 x/s", "h x/s/c x/a"],
    },
    {
      what: "7.20 but what several sources, or a wildcard's matches, name are files of their own",
      dockerfile: "FROM scratch\nCOPY d/a d/b* /x/",
      gives: ["d 755 0:0 x", "f 644 0:0 x/a A", "f 644 0:0 x/b A"],
    },
    {
      what: "7.20 and so are those of another COPY",
      dockerfile: "FROM scratch\nCOPY d/a /x/\nCOPY d/b /x/",
      gives: ["d 755 0:0 x", "f 644 0:0 x/b A"],
    },
    {
      what: "7.20 a hard link from another stage",
      dockerfile: "FROM scratch AS one\nCOPY d /x\nFROM scratch\nCOPY --from=one / /y/",
      gives: ["d 755 0:0 y", "d 755 0:0 y/x", "f 644 0:0 y/x/a A", "h y/x/b y/x/a", "d 755 0:0 y/x/s", "h y/x/s/c y/x/a"],
    },
  ],
  "d 755 0:0 d\nf 644 0:0 d/a A\nh d/b d/a\nd 755 0:0 d/s\nh d/s/c d/a",
);

test("7.21 a file with holes has its whole size in the layer and takes no memory of that size", async (t) => {
  const context = await temporaryDirectory(t);
  const size = 64 << 20;
  const handle = openSync(join(context, "holes"), "w");
  writeSync(handle, "end", size - 3);
  writeFileSync(join(context, "Dockerfile"), "FROM scratch\nCOPY holes /");
  const peak = () => Number(/^VmHWM:\s+(\d+)/m.exec(readFileSync("/proc/self/status", "utf8"))?.[1]) * 1024;
  const before = peak();
  const built = await bench.build({
    dockerfile: "FROM scratch\nCOPY --from=big holes /",
    request: { buildContexts: new Map([["big", context]]) },
  });
  assert.ok(peak() - before < size * 0.75, `${(peak() - before) >> 20} MiB more`);
  const [{ entry, content } = assert.fail("the layer is empty")] = await readAll(await built.tar(-1));
  assert.equal(entry.size, size);
  assert.equal(content.subarray(-3).toString(), "end");
  assert.ok(content.subarray(0, -3).equals(Buffer.alloc(size - 3)));
});

/** What GNU tar sees in an archive. */
function listTar(tar: Buffer, ...flags: string[]): string[] {
  const args = ["-t", "--numeric-owner", "--quoting-style=literal", ...flags, "-f", "-"];
  const env = { ...process.env, LC_ALL: "C", TZ: "UTC" };
  return spawnSync("tar", args, { input: tar, env }).stdout.toString("latin1").trimEnd().split("\n");
}

test("7.22 long and strange names of the context are in the layer as they are, for other readers too", async () => {
  const deep = `${"d".repeat(120)}/${"e".repeat(120)}`;
  const names = [`${deep}/${"f".repeat(90)}`, "n".repeat(255), toRaw("ünïcödé 😀"), "\xff\xfe", "a b", "-x", "back\\slash", toRaw("café")];
  const context = `${names.map((name) => `f 644 0:0 ${name.replaceAll(" ", "_")} x`).join("\n")}\nl long-link ${deep}\nh ${deep}/hard ${deep}/${"f".repeat(90)}`;
  const built = await bench.build({ dockerfile: "FROM scratch\nCOPY . /x/", context });
  const listed = listTar(await built.tar(-1));
  for (const name of names) assert.ok(listed.includes(`x/${name.replaceAll(" ", "_")}`), name);
  const again = await bench.build({ dockerfile: `FROM scratch\nCOPY --from=${built.name} /x /x` });
  const lines = (await built.layer(-1)).filter((line) => !line.includes("Dockerfile"));
  assert.deepEqual(
    (await again.layer(-1)).filter((line) => !line.includes("Dockerfile")),
    lines,
    "they come back",
  );
  assert.ok(lines.includes(`l x/long-link ${deep}`));
  assert.ok(lines.includes(`h x/${deep}/hard x/${deep}/${"f".repeat(90)}`));
});

test("7.23 owners above seven octal digits, sizes above 8 GiB and times before 1970 are in PAX headers", async () => {
  const built = await bench.build({
    dockerfile: "FROM scratch\nCOPY --chown=3000000:3000001 Dockerfile /a\nCOPY --from=old /old /",
    request: { buildContexts: new Map([["old", await oldFile()]]) },
  });
  assert.match(listTar(await built.tar(0), "-v").join("\n"), / 3000000\/3000001 .* a$/);
  assert.match(listTar(await built.tar(1), "-v", "--full-time").join("\n"), / 1969-12-31 00:00:00 old$/);
  const [{ entry } = assert.fail("no entry")] = await readAll(await built.tar(1));
  assert.equal(entry.mtime, -86_400);
  const { entry: large } = item("large", { size: 9 * 2 ** 30 });
  assert.match(listTar(encodeEntry(large), "-v")[0] ?? "", / 9663676416 .* large$/);
});

async function oldFile(): Promise<string> {
  const directory = await temporaryDirectory({ after: bench.after });
  writeFileSync(join(directory, "old"), "o");
  // Node takes a negative time for now.
  execFileSync("touch", ["-d", "@-86400", join(directory, "old")]);
  return directory;
}

test("7.24 times are whole seconds, cut and not rounded, and commands that change nothing see no change in that", async (t) => {
  const context = await temporaryDirectory(t);
  writeFileSync(join(context, "f"), "F");
  utimesSync(join(context, "f"), 1_600_000_000.9, 1_600_000_000.9);
  const request = { buildContexts: new Map([["times", context]]) };
  const copied = await bench.build({ dockerfile: "FROM scratch\nCOPY --from=times f /", request });
  const [{ entry } = assert.fail("no entry")] = await readAll(await copied.tar(-1));
  assert.deepEqual([entry.mtime, entry.mtimeNs], [1_600_000_000, 0]);
  const tar = Buffer.concat([
    pax(["mtime", "1500000000.123456789"]),
    member({ name: "kept" }, "k"),
    member({ name: "old", mtime: 5 }, "o"),
    end,
  ]);
  if (!(await bench.shell(t, "shell-times", [mountPoints, tar]))) return;
  const dockerfile = "FROM shell-times\nCOPY --from=times f /\nRUN cat /f /kept /old && chmod 600 /f && chmod 644 /f\nRUN touch /old";
  for (const sandbox of ["ns", "chroot-bare"] as const) {
    const ran = await bench.build({ dockerfile, request: { ...request, sandbox } });
    assert.deepEqual(await ran.layer(-2), [], sandbox);
    assert.deepEqual(await ran.layer(-1), ["f 644 0:0 old o"], sandbox);
  }
});

const capability = "\x01\x00\x00\x02\x00\x20\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00";

test("7.25 a capability survives COPY, a new owner, a command and the layer; other attributes stay behind", async (t) => {
  const attributes: (readonly [string, string])[] = [
    ["SCHILY.xattr.security.capability", capability],
    ["SCHILY.xattr.user.note", "n"],
  ];
  const tar = Buffer.concat([
    pax(...attributes),
    header({ name: "tool", mode: "0000755", size: 1 }),
    Buffer.from("t".padEnd(512, "\0")),
    end,
  ]);
  await bench.image("capable", [tar]);
  const xattrsOf = async (archive: Buffer) =>
    (await readAll(archive)).flatMap(({ entry }) =>
      entry.type === "file" ? [[entry.path, entry.uid, entry.mode, ...(entry.xattrs ?? [])]] : [],
    );
  const copied = await bench.build({
    dockerfile: "FROM scratch\nCOPY --from=capable /tool /\nCOPY --from=capable --chown=5:6 --chmod=4711 /tool /owned",
  });
  assert.deepEqual(await xattrsOf(await copied.tar(0)), [["tool", 0, 0o755, ["security.capability", capability]]]);
  assert.deepEqual(await xattrsOf(await copied.tar(1)), [["owned", 5, 0o4711, ["security.capability", capability]]]);
  if (!(await bench.shell(t, "shell-capable", [tar]))) return;
  const setcap = execFileSync("sh", ["-c", "command -v setcap"], { encoding: "utf8" }).trim();
  const libraries = [...execFileSync("ldd", [setcap], { encoding: "utf8" }).matchAll(/(\/\S+) \(/g)].flatMap(([, path]) => path ?? []);
  const files = Object.fromEntries([setcap, ...libraries].map((path) => [path.replace(/.*\//, ""), readFileSync(path)]));
  const loader = libraries.find((path) => path.includes("/ld-"))?.replace(/.*\//, "/t/") ?? assert.fail("no loader");
  const dockerfile = `FROM shell-capable
COPY --chmod=755 . /t/
RUN mv /tool /moved
RUN echo x >/new && ${loader} --library-path /t /t/setcap cap_net_raw+ep /new && touch /moved`;
  for (const sandbox of ["ns", "chroot-bare"] as const) {
    const ran = await bench.build({ dockerfile, files, request: { sandbox } });
    assert.deepEqual(
      await xattrsOf(await ran.tar(-2)),
      [
        ["moved", 0, 0o755, ["security.capability", capability]],
        [".wh.tool", 0, 0],
      ],
      sandbox,
    );
    const last = await xattrsOf(await ran.tar(-1));
    assert.deepEqual(
      last.map(([path, , , pair]) => [path, (pair as unknown as string[])[1]?.slice(0, 8)]),
      [
        ["moved", capability.slice(0, 8)],
        ["new", "\x01\x00\x00\x02\x00\x20\x00\x00"],
      ],
      sandbox,
    );
  }
});

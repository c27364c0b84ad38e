// ADD: what counts as an archive, and what comes of a URL.

import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { before, test } from "node:test";
import { gzipSync } from "node:zlib";
import { end, header, member, pax, type RawHeader, readAll } from "../layer/raw-tar.ts";
import { tarOf } from "../support/pushed.ts";
import { itemsOfLines } from "../support/trees.ts";
import { openWorkbench, testRows } from "./workbench.ts";

const bench = openWorkbench(({ image }) => image("image", ["d 1777 0:0 tmp\nd 755 0:0 x\nf 644 0:0 x/f old\nl lnk /x"]));

const tar = await tarOf(itemsOfLines("d 700 5:6 d\nf 640 5:6 d/f F\nl d/l f"));
const unpacked = ["d 755 0:0 x", "d 700 5:6 x/d", "f 640 5:6 x/d/f F", "l x/d/l f"];
const compress = (program: string, bytes: Buffer) => execFileSync(program, ["-c"], { input: bytes });
// The end of an empty .zip's directory.
const zip = Buffer.concat([Buffer.from("PK\x05\x06"), Buffer.alloc(18)]);

const archives: Readonly<Record<string, Buffer>> = {
  "a.tar": tar,
  "a.tar.gz": gzipSync(tar),
  "b.tar.bz2": compress("bzip2", tar),
  "c.tar.xz": compress("xz", tar),
  "d.tar.zst": compress("zstd", tar),
  "named.txt": gzipSync(tar),
  plain: tar,
};
for (const [name, bytes] of Object.entries(archives))
  test(`7.34 ADD unpacks ${name}`, async () => {
    const built = await bench.build({ dockerfile: `FROM scratch\nADD ${name} /x/`, files: { [name]: bytes } });
    assert.deepEqual(await built.layer(-1), unpacked);
  });

const others: Readonly<Record<string, Buffer>> = {
  "a.zip": zip,
  "a.gz": gzipSync("no archive"),
  "text.tar.gz": Buffer.from("just text"),
  "empty.tar": Buffer.alloc(0),
  "a.xz": compress("xz", Buffer.from("no archive")),
};
for (const [name, bytes] of Object.entries(others))
  test(`7.34 ADD copies ${name}, which is no archive`, async () => {
    const built = await bench.build({ dockerfile: `FROM scratch\nADD ${name} /x/`, files: { [name]: bytes } });
    assert.equal((await built.layer(-1)).at(-1)?.slice(0, `f 644 0:0 x/${name}`.length), `f 644 0:0 x/${name}`);
    const [, file] = await readAll(await built.tar(-1));
    assert.ok(file?.content.equals(bytes));
  });

const link = (name: string, to: string, more: RawHeader) => header({ name, flag: "1", link: to, ...more });

const archive = { "a.tar.gz": gzipSync(tar) };
testRows(bench, [
  {
    what: "7.34 an archive to /f makes the directory /f",
    dockerfile: "FROM scratch\nADD a.tar.gz /f",
    gives: unpacked.map((line) => line.replaceAll(/ x\b/g, " f")),
    files: archive,
  },
  {
    what: "7.34 --chown reaches what is inside",
    dockerfile: "FROM scratch\nADD --chown=7:8 a.tar.gz /x",
    gives: ["d 755 7:8 x", "d 700 7:8 x/d", "f 640 7:8 x/d/f F", "l x/d/l f 7:8"],
    files: archive,
  },
  {
    what: "7.34 hard links in an archive stay that, of empty files too, and give all names the owner and mode they come with",
    dockerfile: "FROM scratch\nADD links /",
    gives: ["f 755 7:8 a A", "h b a", "f 600 0:0 e", "h f e", "l l x 9:0", "l m x 9:0"],
    files: {
      links: Buffer.concat([
        ...[
          member({ name: "a", mode: "0000640", uid: "0000005" }, "A"),
          link("b", "a", { mode: "0000755", uid: "0000007", gid: "0000010" }),
        ],
        ...[member({ name: "e", mode: "0000644" }), link("f", "e", { mode: "0000600" })],
        ...[header({ name: "l", flag: "2", link: "x", uid: "0000005", mode: "0000777" }), link("m", "l", { uid: "0000011" }), end],
      ]),
    },
  },
  {
    what: "7.34 what is there is merged with, through a link as well",
    dockerfile: "FROM image\nADD a.tar.gz /lnk",
    gives: unpacked,
    files: archive,
  },
]);

test("7.34 COPY, ADD --unpack=false and ADD of a directory leave archives as they are", async () => {
  const built = await bench.build({
    dockerfile: "FROM scratch\nCOPY a.tar.gz /1/\nADD --unpack=false a.tar.gz /2/\nADD . /3/",
    files: archive,
  });
  for (const at of [0, 1, 2]) {
    const found = (await readAll(await built.tar(at))).find(({ entry }) => entry.path.endsWith("/a.tar.gz"));
    assert.ok(found?.content.equals(archive["a.tar.gz"]), `layer ${at}`);
  }
});

test("7.34 a PAX header before the first entry does not hide an archive", async () => {
  const built = await bench.build({ dockerfile: "FROM scratch\nADD p /", files: { p: Buffer.concat([pax(["uid", "9"]), tar]) } });
  assert.equal((await built.layer(-1))[0], "d 700 9:6 d");
});

const modified = "Wed, 21 Oct 2015 07:28:00 GMT";
let web = "";

before(async () => {
  const server = createServer((request, response) => {
    const path = request.url ?? "";
    if (path.startsWith("/moved/")) response.writeHead(302, { location: path.replace("/moved/", "/files/") }).end();
    else if (path.startsWith("/files/a.tar.gz")) response.writeHead(200, { "last-modified": modified }).end(archive["a.tar.gz"]);
    else response.writeHead(200, path.includes("dated") ? { "last-modified": modified } : {}).end(`<${path}>`);
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  bench.after(() => {
    server.close();
    server.closeAllConnections();
  });
  web = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
});

const urlRows: readonly (readonly [what: string, line: string, gives: readonly string[]])[] = [
  [
    "the file is 0600 and root's, named after the path, without the query",
    "ADD WEB/files/f?x=/y#z /d/",
    ["d 755 0:0 d", "f 600 0:0 d/f </files/f?x=/y>"],
  ],
  ["a destination without a slash is the file's name", "ADD WEB/files/f /d", ["f 600 0:0 d </files/f>"]],
  ["unless there is such a directory", "ADD WEB/files/f /tmp", ["d 1777 0:0 tmp", "f 600 0:0 tmp/f </files/f>"]],
  ["redirects are followed, the name is that of the first address", "ADD WEB/moved/f /d/", ["d 755 0:0 d", "f 600 0:0 d/f </files/f>"]],
  ["escapes in the name are resolved", "ADD WEB/files/a%20b /d/", ["d 755 0:0 d", "f 600 0:0 d/a b </files/a%20b>"]],
  ["--chmod and --chown count", "ADD --chmod=755 --chown=7:8 WEB/files/f /f", ["f 755 7:8 f </files/f>"]],
];
for (const [what, line, gives] of urlRows)
  test(`7.35 of a URL ${what}`, async () => {
    const built = await bench.build({ dockerfile: `FROM image\n${line.replace("WEB", web)}` });
    assert.deepEqual(await built.layer(-1), gives);
  });

test("7.35 an archive behind a URL is not unpacked, and its time is Last-Modified", async () => {
  const built = await bench.build({ dockerfile: `FROM scratch\nADD ${web}/moved/a.tar.gz /` });
  const [file] = await readAll(await built.tar(-1));
  assert.deepEqual([file?.entry.path, file?.entry.mode, file?.entry.mtime], ["a.tar.gz", 0o600, Date.parse(modified) / 1000]);
  assert.ok(file?.content.equals(archive["a.tar.gz"]));
});

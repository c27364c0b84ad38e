// COPY --exclude beside named files and --parents, and COPY --link over what the base has.

import assert from "node:assert/strict";
import { test } from "node:test";
import { openWorkbench, testRows } from "./workbench.ts";

const bench = openWorkbench(({ image }) =>
  image("image", ["d 1777 0:0 tmp\nd 700 5:6 real\nf 644 0:0 real/kept K\nl lnk /real\nf 644 0:0 lost/behind x", "d 700 0:0 etc"]),
);

const context = `
f 644 0:0 a.txt A
f 644 0:0 b.md B
d 755 0:0 dir
f 644 0:0 dir/a.txt DA
f 644 0:0 dir/b.md DB
d 711 0:0 dir/sub
f 644 0:0 dir/sub/a.txt SA
f 644 0:0 dir/sub/b.md SB
`;

testRows(
  bench,
  [
    {
      what: "7.61 --exclude does not keep out a file that a source names, with a warning of a check",
      dockerfile: "FROM scratch\nCOPY --exclude=*.txt a.txt /x/",
      gives: ["d 755 0:0 x", "f 644 0:0 x/a.txt A"],
      warns: /^NamedFileNotExcluded: --exclude does not keep "a\.txt" out/,
    },
    {
      what: "7.61 nor one that a wildcard matches",
      dockerfile: "FROM scratch\nCOPY --exclude=*.txt *.* /x/",
      gives: ["d 755 0:0 x", "f 644 0:0 x/a.txt A", "f 644 0:0 x/b.md B"],
      warns: /^NamedFileNotExcluded: /,
    },
    {
      what: "7.61 a pattern is relative to each source directory: *.txt is its top level alone",
      dockerfile: "FROM scratch\nCOPY --exclude=*.txt dir /x/",
      gives: ["d 755 0:0 x", "f 644 0:0 x/b.md DB", "d 711 0:0 x/sub", "f 644 0:0 x/sub/a.txt SA", "f 644 0:0 x/sub/b.md SB"],
      warns: "nothing",
    },
    {
      what: "7.61 so that it does not name the source directory",
      dockerfile: "FROM scratch\nCOPY --exclude=dir/sub --exclude=a.txt dir /x/",
      gives: ["d 755 0:0 x", "f 644 0:0 x/b.md DB", "d 711 0:0 x/sub", "f 644 0:0 x/sub/a.txt SA", "f 644 0:0 x/sub/b.md SB"],
    },
    {
      what: "7.61 ** reaches every level",
      dockerfile: "FROM scratch\nCOPY --exclude=**/*.txt dir /x/",
      gives: ["d 755 0:0 x", "f 644 0:0 x/b.md DB", "d 711 0:0 x/sub", "f 644 0:0 x/sub/b.md SB"],
    },
    {
      what: "7.61 a negated pattern takes back what an earlier one excluded, and the last one that matches decides",
      dockerfile: "FROM scratch\nCOPY --exclude=** --exclude=!sub/*.txt --exclude=!b.md --exclude=b.* dir /x/",
      gives: ["d 755 0:0 x", "d 711 0:0 x/sub", "f 644 0:0 x/sub/a.txt SA"],
    },
    {
      what: "7.61 with --parents patterns are relative to where the kept path begins",
      dockerfile: "FROM scratch\nCOPY --parents --exclude=dir/*.txt --exclude=**/b.md dir /x/",
      gives: ["d 755 0:0 x", "d 755 0:0 x/dir", "d 711 0:0 x/dir/sub", "f 644 0:0 x/dir/sub/a.txt SA"],
    },
    {
      what: "7.61 the pivot included",
      dockerfile: "FROM scratch\nCOPY --parents --exclude=sub/a.txt dir/./sub /x/",
      gives: ["d 755 0:0 x", "d 711 0:0 x/sub", "f 644 0:0 x/sub/b.md SB"],
    },
    {
      what: "7.61 and a named file is kept out there",
      dockerfile: "FROM scratch\nCOPY --parents --exclude=**/*.txt dir/sub/a.txt dir/sub/b.md /x/",
      gives: ["d 755 0:0 x", "d 755 0:0 x/dir", "d 711 0:0 x/dir/sub", "f 644 0:0 x/dir/sub/b.md SB"],
    },
    {
      what: "7.62 --link makes a directory of its own where the base has a link",
      dockerfile: "FROM image\nCOPY --link a.txt /lnk/",
      gives: ["d 755 0:0 lnk", "f 644 0:0 lnk/a.txt A"],
    },
    {
      what: "7.62 and makes anew those that are there",
      dockerfile: "FROM image\nCOPY --link --chown=7:8 a.txt /tmp/new/",
      gives: ["d 755 7:8 tmp", "d 755 7:8 tmp/new", "f 644 7:8 tmp/new/a.txt A"],
    },
    {
      what: "7.62 COPY --link . / with WORKDIR / is what lies in the context and nothing more",
      dockerfile: "FROM image\nWORKDIR /\nCOPY --link dir/sub .",
      gives: ["f 644 0:0 a.txt SA", "f 644 0:0 b.md SB"],
    },
    {
      what: "7.62 with an empty destination as well",
      dockerfile: "FROM image\nWORKDIR /\nCOPY --link --chown=1:2 dir/sub $none",
      gives: ["f 644 1:2 a.txt SA", "f 644 1:2 b.md SB"],
    },
    {
      what: "7.62 a later step sees the real directory in the place of the link",
      dockerfile: "FROM image\nCOPY --link a.txt /lnk/\nCOPY b.md /lnk/",
      gives: ["d 755 0:0 lnk", "f 644 0:0 lnk/b.md B"],
    },
    {
      what: "7.62 and so does a command",
      dockerfile:
        "FROM image AS linked\nCOPY --link a.txt /lnk/\nFROM shell\nCOPY --from=linked / /r/\nRUN cd /r; ls lnk; test -d lnk -a ! -L lnk && ls real",
      says: "a.txt\nkept",
    },
    {
      what: "7.62 names have no meaning without a base",
      dockerfile: "FROM image\nCOPY --link --chown=www a.txt /",
      fails: /invalid user index: -1/,
    },
  ],
  context,
);

test("7.62 --link needs no byte of the base", async () => {
  const before = bench.registry().requests.length;
  await bench.build({ dockerfile: "FROM image\nCOPY --link dir /a/b/\nADD --link a.txt /a/", context });
  const asked = bench.registry().requests.slice(before);
  const blobs = asked.filter(({ method, path }) => method === "GET" && path.startsWith("/v2/library/image/blobs/"));
  assert.equal(blobs.length, 1, "its configuration");
});

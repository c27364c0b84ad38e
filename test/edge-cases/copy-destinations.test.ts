// Where COPY puts what it copies: slashes, WORKDIR, links in the image, what is there already, and the directories on the way.

import assert from "node:assert/strict";
import { test } from "node:test";
import { openWorkbench, testRows } from "./workbench.ts";

const image = `
d 755 0:0 etc
f 644 0:0 etc/passwd root:x:0:0:root:/root:/bin/sh
d 1777 0:0 tmp
d 755 0:0 usr
d 711 3:4 usr/lib
l lib usr/lib
d 755 0:0 real
f 644 0:0 real/target old
l lnk /real
l relative-lnk real
l climbing-lnk ../../../real
l file-lnk real/target
l dangling /real/made
l dangling-far /none/made
d 750 500:600 existing
d 711 1:1 existing/sub
f 644 0:0 existing/sub/kept K
d 755 0:0 existing/s
f 644 0:0 plain P
d 755 0:0 tree
l tree/a /etc/passwd
`;

const bench = openWorkbench(({ image: put }) => put("image", [image]));

const context = `
f 644 0:0 f F
d 700 0:0 closed
f 600 0:0 closed/a A
d 2751 0:0 closed/sub
f 644 0:0 closed/sub/s S
d 755 0:0 clash
f 644 0:0 clash/sub S
d 755 0:0 clash2
d 755 0:0 clash2/plain
d 755 0:0 deep
d 755 0:0 deep/x
f 644 0:0 deep/x/keep K
f 644 0:0 deep/x/drop D
d 755 0:0 deep/y
f 644 0:0 deep/y/drop D
`;

testRows(
  bench,
  [
    {
      what: "7.8 without a slash an absent destination is a file",
      dockerfile: "FROM image\nCOPY f /a/b",
      gives: ["d 755 0:0 a", "f 644 0:0 a/b F"],
    },
    {
      what: "7.8 with a slash it is a directory",
      dockerfile: "FROM image\nCOPY f /a/b/",
      gives: ["d 755 0:0 a", "d 755 0:0 a/b", "f 644 0:0 a/b/f F"],
    },
    ...[".", "./", "$none", "${none}", "/w/../w/./"].map((destination) => ({
      what: `7.9 COPY f ${destination} goes to WORKDIR`,
      dockerfile: `FROM scratch\nWORKDIR /w\nCOPY f ${destination}`,
      gives: ["d 755 0:0 w", "f 644 0:0 w/f F"],
    })),
    {
      what: "7.10 a link to a directory as the destination is followed",
      dockerfile: "FROM image\nCOPY f /lnk",
      gives: ["d 755 0:0 real", "f 644 0:0 real/f F"],
    },
    {
      what: "7.10 with a slash too",
      dockerfile: "FROM image\nCOPY f /lnk/",
      gives: ["d 755 0:0 real", "f 644 0:0 real/f F"],
    },
    {
      what: "7.10 one that climbs ends at the image's root",
      dockerfile: "FROM image\nCOPY closed/a /climbing-lnk/n",
      gives: ["d 755 0:0 real", "f 600 0:0 real/n A"],
    },
    {
      what: "7.10 a directory goes through the link as well",
      dockerfile: "FROM image\nCOPY closed /relative-lnk",
      gives: ["d 755 0:0 real", "f 600 0:0 real/a A", "d 2751 0:0 real/sub", "f 644 0:0 real/sub/s S"],
    },
    {
      what: "7.10 of a link to a file the target is overwritten, the link stays",
      dockerfile: "FROM image\nCOPY f /file-lnk",
      gives: ["d 755 0:0 real", "f 644 0:0 real/target F"],
    },
    {
      what: "7.10 of a dangling link the target is created",
      dockerfile: "FROM image\nCOPY f /dangling",
      gives: ["d 755 0:0 real", "f 644 0:0 real/made F"],
    },
    {
      what: "7.10 with its directories",
      dockerfile: "FROM image\nCOPY f /dangling-far",
      gives: ["d 755 0:0 none", "f 644 0:0 none/made F"],
    },
    {
      what: "7.12 an exception of --exclude is found in a directory that is excluded",
      dockerfile: "FROM image\nCOPY --exclude=x --exclude=y --exclude=!x/keep deep /d/",
      gives: ["d 755 0:0 d", "d 755 0:0 d/x", "f 644 0:0 d/x/keep K"],
    },
    { what: "7.12 a directory does not replace a file", dockerfile: "FROM image\nCOPY closed /plain", fails: /\/?plain/ },
    {
      what: "7.12 nor a file inside a tree",
      dockerfile: "FROM image\nCOPY clash2 /",
      fails: /cannot copy to non-directory: plain/,
    },
    {
      what: "7.12 a file goes into a directory that has the destination's name",
      dockerfile: "FROM image\nCOPY f /existing",
      gives: ["d 750 500:600 existing", "f 644 0:0 existing/f F"],
    },
    {
      what: "7.12 but does not replace one that has its own",
      dockerfile: "FROM image\nCOPY clash/sub /existing/",
      fails: /cannot replace to directory existing\/sub with file/,
    },
    {
      what: "7.12 nor inside a tree",
      dockerfile: "FROM image\nCOPY clash /existing/",
      fails: /cannot replace to directory existing\/sub with file/,
    },
    {
      what: "7.12 inside a tree a file takes a link's place and does not go through it",
      dockerfile: "FROM image\nCOPY closed /tree",
      gives: ["d 755 0:0 tree", "f 600 0:0 tree/a A", "d 2751 0:0 tree/sub", "f 644 0:0 tree/sub/s S"],
    },
    {
      what: "7.13 an existing destination directory keeps its mode and owner, nested ones take the source's modes",
      dockerfile: "FROM image\nCOPY closed /existing",
      gives: ["d 750 500:600 existing", "f 600 0:0 existing/a A", "d 2751 0:0 existing/sub", "f 644 0:0 existing/sub/s S"],
    },
    {
      what: "7.13 a new one is 0755 root, though the source is 0700",
      dockerfile: "FROM image\nCOPY closed /new",
      gives: ["d 755 0:0 new", "f 600 0:0 new/a A", "d 2751 0:0 new/sub", "f 644 0:0 new/sub/s S"],
    },
    {
      what: "7.14 directories that COPY makes on the way are entries, and those that are there keep what they are: /tmp its sticky bit",
      dockerfile: "FROM image\nCOPY f /tmp/a/b/f",
      gives: ["d 1777 0:0 tmp", "d 755 0:0 tmp/a", "d 755 0:0 tmp/a/b", "f 644 0:0 tmp/a/b/f F"],
    },
    {
      what: "7.14 the same with ADD, through a link such as /lib",
      dockerfile: "FROM image\nADD f /lib/new/",
      gives: ["d 755 0:0 usr", "d 711 3:4 usr/lib", "d 755 0:0 usr/lib/new", "f 644 0:0 usr/lib/new/f F"],
    },
    {
      what: "7.14 and with WORKDIR",
      dockerfile: "FROM image\nUSER 7:8\nWORKDIR /lib/one/two",
      gives: ["d 755 0:0 usr", "d 711 3:4 usr/lib", "d 755 7:8 usr/lib/one", "d 755 7:8 usr/lib/one/two"],
    },
  ],
  context,
);

test("7.9 each COPY sees the WORKDIR that stands before it", async () => {
  const dockerfile = "FROM image\nARG name=in\nWORKDIR /one\nWORKDIR two\nENV part=$name/side\nCOPY f $part/\nWORKDIR /three\nCOPY f .";
  const built = await bench.build({ dockerfile, context });
  assert.deepEqual(await built.layer(-3), [
    "d 755 0:0 one",
    "d 755 0:0 one/two",
    "d 755 0:0 one/two/in",
    "d 755 0:0 one/two/in/side",
    "f 644 0:0 one/two/in/side/f F",
  ]);
  assert.deepEqual(await built.layer(-1), ["d 755 0:0 three", "f 644 0:0 three/f F"]);
});

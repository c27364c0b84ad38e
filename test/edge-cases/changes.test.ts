// What a command's changes look like in the layer: whiteouts, directories made anew, replacements; and what never gets there.

import assert from "node:assert/strict";
import { test } from "node:test";
import { mountPoints, openWorkbench } from "./workbench.ts";

const base = `
d 755 0:0 d
f 644 0:0 d/a A
f 644 0:0 d/b B
d 755 0:0 d/sub
f 644 0:0 d/sub/x X
f 644 0:0 d/sub/y Y
d 711 3:4 tree
d 755 0:0 tree/deep
f 644 0:0 tree/deep/z Z
f 644 0:0 file F
l link d
l broken nowhere
`;

interface Case {
  readonly what: string;
  readonly script: string;
  readonly gives: readonly string[];
}

const cases: readonly Case[] = [
  {
    what: "7.26 a file that a command deletes is a whiteout in its directory, which is listed",
    script: "rm /d/sub/x",
    gives: ["d 755 0:0 d", "d 755 0:0 d/sub", "f 0 0:0 d/sub/.wh.x"],
  },
  {
    what: "7.26 a directory that it deletes is one whiteout, whatever was in it; the directories above keep what they are",
    script: "rm -r /d/sub /tree/deep /link",
    gives: ["d 755 0:0 d", "f 0 0:0 d/.wh.sub", "f 0 0:0 .wh.link", "d 711 3:4 tree", "f 0 0:0 tree/.wh.deep"],
  },
  {
    what: "7.27 what a command makes and deletes leaves no whiteout",
    script:
      "echo x >/d/n; rm /d/n; mkdir -p /m/n; echo x >/m/n/o; rm -r /m; mkdir /tree/t; rmdir /tree/t; mkdir /kept; echo x >/kept/t; rm /kept/t",
    gives: ["d 755 0:0 kept"],
  },
  {
    what: "7.27 nor does a directory that moves to another name and back, whose files are as they were",
    script: "mv /d /e && mv /e /d",
    gives: [],
  },
  {
    what: "7.27 nor what was in a new directory that is made a second time",
    script: "mkdir /n && echo 1 >/n/a && rm -r /n && mkdir /n && echo 2 >/n/b; ln -s /d /s && rm /s",
    gives: ["d 755 0:0 n", "f 644 0:0 n/b 2"],
  },
  {
    what: "7.28 a directory that is deleted and made anew hides what was in it and shows what is new",
    script: "rm -r /d && mkdir /d && echo n >/d/new && echo a >/d/a",
    gives: ["d 755 0:0 d", "f 644 0:0 d/a a", "f 0 0:0 d/.wh.b", "f 644 0:0 d/new n", "f 0 0:0 d/.wh.sub"],
  },
  {
    what: "7.28 the same below, and where it is empty now",
    script: "rm -r /d/sub && mkdir -m 700 /d/sub && rm -r /tree && mkdir -p /tree/deep",
    gives: [
      "d 755 0:0 d",
      "d 700 0:0 d/sub",
      "f 0 0:0 d/sub/.wh.x",
      "f 0 0:0 d/sub/.wh.y",
      "d 755 0:0 tree",
      "d 755 0:0 tree/deep",
      "f 0 0:0 tree/deep/.wh.z",
    ],
  },
  {
    what: "7.29 a directory, a file and links that take each other's places are entries alone, without whiteouts",
    script:
      "rm -r /d/sub && echo f >/d/sub && rm /file && mkdir /file && echo i >/file/in && rm /link && mkdir /link && rm /broken && echo b >/broken && rm -r /tree && ln -s d /tree",
    gives: [
      "f 644 0:0 broken b",
      "d 755 0:0 d",
      "f 644 0:0 d/sub f",
      "d 755 0:0 file",
      "f 644 0:0 file/in i",
      "d 755 0:0 link",
      "l tree d",
    ],
  },
];

const bench = openWorkbench();

/** Shows every path of the base and of the commands above, with what is in files. */
const look =
  "cd / && find d n tree file link broken kept m s 2>/dev/null | sort | while read p; do echo $p $(stat -c '%F %a' $p) $([ -f $p ] && cat $p); done";

for (const sandbox of ["ns", "chroot", "chroot-bare"] as const)
  for (const { what, script, gives } of cases)
    test(`${what} (${sandbox})`, async (t) => {
      if (!(await bench.shell(t, "shell-changes", [mountPoints, base]))) return;
      const request = { sandbox };
      const ran = await bench.build({ dockerfile: `FROM shell-changes\nRUN ${script}; ${look}`, request });
      assert.deepEqual(await ran.layer(-1), gives);
      const seen = await bench.build({ dockerfile: `FROM ${ran.name}\nRUN ${look}`, request });
      assert.equal(seen.output, ran.output, "what a build on top of the image sees");
    });

// What instructions that make no files leave in the image's configuration.

import assert from "node:assert/strict";
import { test } from "node:test";
import { openWorkbench, testRows } from "./workbench.ts";

const bench = openWorkbench(async ({ image }) => {
  const files = "d 755 0:0 d\nd 1750 3:4 d/kept\nl lnk /d/kept\nf 644 0:0 file F";
  await image("image", [files], {
    Cmd: ["base-cmd"],
    Entrypoint: ["base-entry"],
    ExposedPorts: { "80/tcp": {} },
    Healthcheck: { Test: ["CMD", "base"] },
    Labels: { kept: "1", again: "old" },
    StopSignal: "SIGINT",
    Volumes: { "/base": {} },
  });
  await image("with-shell", [files], { Shell: ["/bin/bash", "-ec"], Cmd: ["base-cmd"] });
});

const second = 1_000_000_000;

testRows(bench, [
  {
    what: "7.41 ENTRYPOINT clears the CMD of the base",
    dockerfile: 'FROM image\nENTRYPOINT ["e"]',
    config: { Entrypoint: ["e"], Cmd: undefined },
  },
  {
    what: "7.41 but not one of the same stage, before or after it",
    dockerfile: 'FROM image\nCMD ["c"]\nENTRYPOINT ["e"]',
    config: { Entrypoint: ["e"], Cmd: ["c"] },
  },
  {
    what: "7.41 one of another stage is inherited, hence cleared",
    dockerfile: 'FROM image AS one\nCMD ["c"]\nFROM one\nENTRYPOINT ["e"]',
    config: { Entrypoint: ["e"], Cmd: undefined },
  },
  { what: "7.41 CMD [] is empty", dockerfile: "FROM image\nCMD []", config: { Entrypoint: ["base-entry"], Cmd: undefined } },
  { what: "7.41 and ENTRYPOINT [] as well", dockerfile: "FROM image\nENTRYPOINT []", config: { Entrypoint: undefined, Cmd: undefined } },
  {
    what: "7.41 a shell-form ENTRYPOINT is the shell's, so that CMD comes after its text and is ignored when it runs",
    dockerfile: 'FROM image\nENTRYPOINT exec top -b\nCMD ["--ignored"]',
    config: { Entrypoint: ["/bin/sh", "-c", "exec top -b"], Cmd: ["--ignored"] },
  },
  {
    what: "7.42 SHELL changes the shell forms after it, and no exec form",
    dockerfile: 'FROM image\nCMD before\nSHELL ["/bin/x", "-y"]\nENTRYPOINT after "it"\nHEALTHCHECK CMD check',
    config: {
      Shell: ["/bin/x", "-y"],
      Cmd: ["/bin/sh", "-c", "before"],
      Entrypoint: ["/bin/x", "-y", 'after "it"'],
      Healthcheck: { Test: ["CMD-SHELL", "check"] },
    },
  },
  {
    what: "7.42 it is inherited from the base",
    dockerfile: 'FROM with-shell\nCMD c\nENTRYPOINT ["e"]',
    config: { Shell: ["/bin/bash", "-ec"], Cmd: ["/bin/bash", "-ec", "c"], Entrypoint: ["e"] },
  },
  {
    what: "7.42 and from a stage, for commands as well",
    dockerfile: 'FROM shell AS one\nSHELL ["/bin/sh", "-c", "echo \\"$0\\" in $(pwd)"]\nFROM one\nWORKDIR /w\nRUN said',
    says: "said in /w",
  },
  {
    what: "7.42 bad JSON is text for the shell",
    dockerfile: 'FROM image\nCMD ["sh", \'x\']\nENTRYPOINT ["echo", "a"] and more',
    config: { Cmd: ["/bin/sh", "-c", "[\"sh\", 'x']"], Entrypoint: ["/bin/sh", "-c", '["echo", "a"] and more'] },
  },
  {
    what: "7.42 when it runs too, and an exec form is not wrapped",
    dockerfile: 'FROM shell\nRUN [\'echo\', "x"] 2>/dev/null || echo "text: $?"\nRUN ["echo", "$HOME"]',
    says: "text: 127\n$HOME",
  },
  {
    what: "7.45 a relative WORKDIR goes on from the one before",
    dockerfile: "FROM scratch\nWORKDIR a\nWORKDIR b/../c",
    config: { WorkingDir: "/a/c" },
    gives: ["d 755 0:0 a", "d 755 0:0 a/c"],
  },
  {
    what: "7.45 an unset variable is nothing",
    dockerfile: "FROM scratch\nWORKDIR $UNSET/x",
    config: { WorkingDir: "/x" },
    gives: ["d 755 0:0 x"],
  },
  {
    what: "7.45 a slash at the end stays in the configuration",
    dockerfile: "FROM scratch\nWORKDIR /a/",
    config: { WorkingDir: "/a/" },
    gives: ["d 755 0:0 a"],
  },
  {
    what: "7.45 a link on the way is followed, and stays in the path",
    dockerfile: "FROM image\nUSER 9:9\nWORKDIR /lnk/n",
    config: { WorkingDir: "/lnk/n" },
    gives: ["d 755 0:0 d", "d 1750 3:4 d/kept", "d 755 9:9 d/kept/n"],
  },
  {
    what: "7.45 a directory that is there keeps mode and owner: its layer is empty",
    dockerfile: "FROM image\nUSER 9:9\nWORKDIR /d/kept",
    config: { WorkingDir: "/d/kept" },
    gives: [],
  },
  {
    what: "7.45 the base's WORKDIR is not created",
    dockerfile: "FROM image AS one\nWORKDIR /d\nFROM one\nCOPY Dockerfile here/",
    gives: [
      "d 755 0:0 d",
      "d 755 0:0 d/here",
      "f 644 0:0 d/here/Dockerfile FROM image AS one\nWORKDIR /d\nFROM one\nCOPY Dockerfile here/",
    ],
  },
  {
    what: "7.47 what is written to a VOLUME afterwards is kept",
    dockerfile: "FROM shell\nVOLUME /v /w\nRUN mkdir /v && echo x >/v/f",
    config: { Volumes: { "/v": {}, "/w": {} } },
    gives: ["d 755 0:0 v", "f 644 0:0 v/f x"],
  },
  {
    what: "7.47 VOLUME makes no directory and no layer",
    dockerfile: 'FROM scratch\nCOPY Dockerfile /a\nENV V=/v\nVOLUME ["$V", "/two words"]',
    config: { Volumes: { "/v": {}, "/two words": {} } },
    gives: ['f 644 0:0 a FROM scratch\nCOPY Dockerfile /a\nENV V=/v\nVOLUME ["$V", "/two words"]'],
  },
  {
    what: "7.48 EXPOSE takes ranges, protocols and variables, tcp by itself, and adds to the base's",
    dockerfile: "FROM image\nARG PORT=8080\nARG LIST='3000 4000/udp'\nEXPOSE 90-92/udp $PORT $LIST 443/TCP",
    config: {
      ExposedPorts: {
        "80/tcp": {},
        "90/udp": {},
        "91/udp": {},
        "92/udp": {},
        "8080/tcp": {},
        "3000/tcp": {},
        "4000/udp": {},
        "443/tcp": {},
      },
    },
  },
  {
    what: "7.48 LABEL takes blanks, quotes and continued lines, and a key that comes again has one value",
    dockerfile:
      'FROM image\nLABEL a="two words" b=it\\ is\\ "q" \\\n  c=\'$x "y"\' \\\n# between\n  "d e"="f\\\ng"\nLABEL again=new a=last\nLABEL legacy two  blanks',
    config: { Labels: { kept: "1", again: "new", a: "last", b: "it is q", c: '$x "y"', "d e": "fg", legacy: "two  blanks" } },
  },
  {
    what: "7.49 HEALTHCHECK NONE takes the place of the base's",
    dockerfile: "FROM image\nHEALTHCHECK NONE",
    config: { Healthcheck: { Test: ["NONE"] } },
  },
  {
    what: "7.49 durations are in nanoseconds",
    dockerfile:
      'FROM image\nHEALTHCHECK --interval=1m30s --timeout=1500ms --start-period=0s --start-interval=100ms --retries=5 CMD ["a", "b"]',
    config: {
      Healthcheck: { Test: ["CMD", "a", "b"], Interval: 90 * second, Timeout: 1.5 * second, StartInterval: second / 10, Retries: 5 },
    },
  },
  {
    what: "7.49 STOPSIGNAL expands variables",
    dockerfile: "FROM image\nENV SIG=QUIT\nSTOPSIGNAL SIG$SIG",
    config: { StopSignal: "SIGQUIT" },
  },
  { what: "7.49 and refuses what is no signal", dockerfile: "FROM image\nSTOPSIGNAL SIGNOPE", fails: /invalid signal: SIGNOPE/i },
]);

test("7.45 WORKDIR / makes no layer", async () => {
  const built = await bench.build({ dockerfile: "FROM scratch\nCOPY Dockerfile /\nWORKDIR /\n" });
  assert.equal(built.manifest.layers.length, 1);
  assert.deepEqual(
    built.image.history?.map(({ empty_layer }) => empty_layer ?? false),
    [false, true],
  );
});

test("7.48 history has the ports in order", async () => {
  const built = await bench.build({ dockerfile: "FROM scratch\nEXPOSE 90-91/udp 443 80/tcp" });
  assert.equal(built.history.at(-1), "EXPOSE [80/tcp 90/udp 91/udp 443/tcp]");
});

test("7.49 MAINTAINER is the author", async () => {
  const built = await bench.build({ dockerfile: "FROM scratch\nMAINTAINER Some One <one@example.com>\n" });
  assert.equal(built.image.author, "Some One <one@example.com>");
});

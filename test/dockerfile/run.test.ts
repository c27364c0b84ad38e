// RUN's mounts, and what its heredocs make it run.

import assert from "node:assert/strict";
import { test } from "node:test";
import { LineError, type Mount, parseDockerfile, type RunInstruction, readMount, readScript } from "../../src/dockerfile/dockerfile.ts";

function readRun(text: string): RunInstruction {
  const [run] = parseDockerfile(`FROM base\nRUN ${text}`, "Dockerfile").stages[0]?.instructions ?? [];
  assert.ok(run?.kind === "run");
  return run;
}

function readMountOf(text: string): Mount {
  const [flag] = readRun(`--mount=${text} x\n`).mounts;
  assert.ok(flag);
  return readMount(flag, (word) => word.replaceAll("$T", "tmpfs"));
}

const bind = { type: "bind", readonly: true, required: false };

test("readMount gives a mount with its defaults", () => {
  const rows: [string, Record<string, unknown>][] = [
    ["target=/x", { ...bind, target: "/x" }],
    ["type=bind,from=a,src=/b,dst=/c,rw", { ...bind, from: "a", source: "/b", target: "/c", readonly: false }],
    ["source=b,destination=c,readonly=false", { ...bind, source: "b", target: "c", readonly: false }],
    ["readwrite=0,target=/x", { ...bind, target: "/x" }],
    [
      "TYPE=Cache,id=i,target=/x,sharing=LOCKED,mode=0755,uid=5,gid=6",
      { ...bind, type: "cache", readonly: false, id: "i", target: "/x", sharing: "locked", mode: 0o755, uid: 5, gid: 6 },
    ],
    ["type=cache,target=/x,ro", { ...bind, type: "cache", target: "/x" }],
    ["type=$T,target=/x,size=1.5g", { ...bind, type: "tmpfs", readonly: false, target: "/x", size: 1.5 * 1024 ** 3 }],
    ["type=tmpfs,target=/x,size=100", { ...bind, type: "tmpfs", readonly: false, target: "/x", size: 100 }],
    ["type=secret,id=s,required,env=", { ...bind, type: "secret", id: "s", required: true, env: "" }],
    ["type=secret,target=/s,required=false", { ...bind, type: "secret", target: "/s" }],
    ["type=ssh,required=true,mode=600", { ...bind, type: "ssh", required: true, mode: 0o600 }],
    ["'type=secret,\"id=a,b\"'", { ...bind, type: "secret", id: "a,b" }],
    ['\'"target=/a""b"\'', { ...bind, target: '/a"b' }],
  ];
  for (const [text, expected] of rows) assert.deepEqual(readMountOf(text), expected, text);
});

test("readMount refuses what BuildKit refuses", () => {
  const rows: [string, string][] = [
    ["typ=tmpfs,target=/x", "unexpected key 'typ' in 'typ=tmpfs'"],
    ["type=tmp,target=/x", 'unsupported mount type "tmp"'],
    ["target", "invalid field 'target' must be a key=value pair"],
    ["required,target=/x", "unexpected key 'required' for mount type 'bind'"],
    ["size=1m", "unexpected key 'size' for mount type 'bind'"],
    ["type=tmpfs,size=many", "invalid value for size: many"],
    [`type=tmpfs,size=${"9".repeat(400)}`, `invalid value for size: ${"9".repeat(400)}`],
    ["ro=perhaps", "invalid value for ro: perhaps"],
    ["type=cache,sharing=some", 'unsupported sharing value "some"'],
    ["type=cache,mode=999", "invalid value 999 for mode"],
    ["type=cache,uid=-1", "invalid value -1 for uid"],
    ["type=cache,gid=4294967296", "invalid value 4294967296 for gid"],
    ["mode=0755,target=/x", 'mode not allowed for "bind" type mounts'],
    ["type=tmpfs,uid=1", 'uid not allowed for "tmpfs" type mounts'],
    ["type=secret", "invalid secret mount. one of source, target required"],
    ["type=secret,id=a,from=b", "secret mount should not have a from"],
    ["type=secret,id=a,src=b", "both source and id can't be set"],
    ["type=secret,id=a,sharing=shared", "secret mount should not define sharing"],
    ["type=ssh,sharing=shared", "invalid cache sharing set for ssh mount"],
  ];
  for (const [text, message] of rows) assert.throws(() => readMountOf(text), { name: LineError.name, message }, text);
});

test("a mount's from is known before variables are", () => {
  const [flag] = readRun("--mount=type=$X,from=a,target=$Y true\n").mounts;
  assert.equal(flag?.from, "a");
  assert.equal(readRun("--mount=from=a$,target=/x true\n").mounts[0]?.from, "a$");
});

test("readScript counts the heredocs in", () => {
  const shell = (text: string) => ({ command: { form: "shell", text } });
  const rows: [string, Record<string, unknown>][] = [
    ["ls /\n", shell("ls /")],
    ['["ls", "/"]\n', { command: { form: "exec", args: ["ls", "/"] } }],
    ["<<E\nls\nwho\nE\n", shell("ls\nwho\n")],
    ["<<-E\n\tls\n\tE\n", shell("ls\n")],
    ["<<'E' | python\nprint(1)\nE\n", shell("<<'E' | python\nprint(1)\nE")],
    ["cat <<A 3<<-B\na\nA\n\tb\nB\n", shell("cat <<A 3<<-B\na\nA\n\tb\nB")],
    ["<<E\n#!/bin/awk -f\nE\n", { ...shell("/dev/pipes/E"), file: { path: "/dev/pipes/E", content: "#!/bin/awk -f\n" } }],
    ["<<-E\n\t#!/bin/sh\n\tE\n", { ...shell("/dev/pipes/E"), file: { path: "/dev/pipes/E", content: "#!/bin/sh\n" } }],
  ];
  for (const [text, expected] of rows) assert.deepEqual(readScript(readRun(text)), expected, text);
});

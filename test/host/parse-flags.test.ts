// Command lines are read as cobra and pflag read them, and nothing in them is ignored.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import test from "node:test";
import { flags } from "../../src/host/flags.ts";
import { checkSupport, parseFlags, refusePositional } from "../../src/host/parse-flags.ts";
import { UsageError } from "../../src/host/usage.ts";
import { sharedFolder } from "../support/shared.ts";

const good: readonly [args: string[], given: [name: string, value: string][]][] = [
  [["--dockerfile=a b"], [["dockerfile", "a b"]]],
  [["--dockerfile", "x"], [["dockerfile", "x"]]],
  [["--dockerfile", "--context"], [["dockerfile", "--context"]]],
  [["--label=a=b=c"], [["label", "a=b=c"]]],
  [["--dockerfile="], [["dockerfile", ""]]],
  [["--insecure"], [["insecure", "true"]]],
  [["--insecure=false"], [["insecure", "false"]]],
  [["--insecure=T"], [["insecure", "T"]]],
  [
    ["--insecure", "--no-push"],
    [
      ["insecure", "true"],
      ["no-push", "true"],
    ],
  ],
  [["-f", "x"], [["dockerfile", "x"]]],
  [["-fx"], [["dockerfile", "x"]]],
  [["-f=x"], [["dockerfile", "x"]]],
  [["-f="], [["dockerfile", "="]]],
  [["-f", "-"], [["dockerfile", "-"]]],
  [["-fc"], [["dockerfile", "c"]]],
  [["-c", "."], [["context", "."]]],
  [["-b", "gs"], [["bucket", "gs"]]],
  [["-vdebug"], [["verbosity", "debug"]]],
  [
    ["-d", "a,b", "-d=c"],
    [
      ["destination", "a,b"],
      ["destination", "c"],
    ],
  ],
  [["--tarPath=x"], [["tar-path", "x"]]],
  [["--customPlatform=linux/arm64"], [["custom-platform", "linux/arm64"]]],
  [["--snapshotMode=full"], [["snapshot-mode", "full"]]],
  [["--whitelist-var-run=false"], [["ignore-var-run", "false"]]],
  [["--push-retry=+3"], [["push-retry", "+3"]]],
  [["--cache-ttl", "1h30m"], [["cache-ttl", "1h30m"]]],
  [["--verbosity="], [["verbosity", ""]]],
];

for (const [args, given] of good) {
  test(`${JSON.stringify(args)} is read`, () => {
    const parsed = parseFlags(args);
    refusePositional(parsed);
    assert.deepEqual(
      parsed.given.map(({ flag, value }) => [flag.name, value]),
      given,
    );
  });
}

const bad: readonly [args: string[], message: string][] = [
  [["--destinatoin", "x"], "unknown flag: --destinatoin; did you mean --destination?"],
  [["--no-psuh"], "unknown flag: --no-psuh; did you mean --no-push?"],
  [["--Dockerfile=x"], "unknown flag: --Dockerfile; did you mean --dockerfile?"],
  [["--tarpath=x"], "unknown flag: --tarpath; did you mean --tarPath?"],
  [["--frobnicate"], "unknown flag: --frobnicate; see slipway --help"],
  [["-x"], 'unknown shorthand flag: "x" in -x; see slipway --help'],
  [["-destination", "x"], 'unexpected argument "x": every input is given by a flag'],
  [["-tar-path=x"], 'unknown shorthand flag: "t" in -tar-path=x; did you mean --tar-path=x?'],
  [["--=x"], "bad flag syntax: --=x"],
  [["--dockerfile"], "flag needs an argument: --dockerfile PATH"],
  [["-f"], "flag needs an argument: -f PATH"],
  [["--insecure=maybe"], 'invalid argument "maybe" for --insecure: must be true or false'],
  [["--insecure="], 'invalid argument "" for --insecure: must be true or false'],
  [["--insecure", "false"], 'unexpected argument "false"; write --insecure=false'],
  [["--push-retry=many"], 'invalid argument "many" for --push-retry: must be a whole number'],
  [["--push-retry=1.5"], 'invalid argument "1.5" for --push-retry: must be a whole number'],
  [["--cache-ttl=2d"], 'invalid argument "2d" for --cache-ttl: must be a number with a unit, for example 6h or 30m'],
  [["--compression=lz4"], 'invalid argument "lz4" for --compression: must be one of gzip, zstd'],
  [["-v", "loud"], 'invalid argument "loud" for -v: must be one of trace, debug, info, warn, error, fatal, panic'],
  [
    ["--sandbox=docker"],
    'invalid argument "docker" for --sandbox: must be one of auto, ns, userns, chroot, inplace, userns-single, chroot-bare',
  ],
  [["."], 'unexpected argument ".": every input is given by a flag'],
  [["-"], 'unexpected argument "-": every input is given by a flag'],
  [["--no-push", "--", "--insecure"], 'unexpected argument "--insecure": every input is given by a flag'],
];

for (const [args, message] of bad) {
  test(`${JSON.stringify(args)} is refused: ${message}`, () => {
    assert.throws(() => refusePositional(parseFlags(args)), { name: "UsageError", message });
  });
}

test("--help and -h are seen anywhere", () => {
  for (const args of [["--help"], ["-h"], ["--no-push", "-h"], ["--help", "rest"]]) assert.equal(parseFlags(args).help, true);
  for (const args of [["-f", "-h"], ["--", "--help"], []]) assert.equal(parseFlags(args).help, false);
});

const support: readonly [args: string[], notices: string[]][] = [
  [["--cache=false", "--cache-run-layers", "--cache-ttl=336h0m0s", "--cache-dir=/cache", "--cache-repo="], []],
  [["--snapshot-mode=full", "--image-fs-extract-retry=0", "--single-snapshot=false", "--git="], []],
  [["--force", "--force"], ["--force has no effect: nothing of the machine's own file system is changed"]],
  [["--force=false", "--ignore-var-run", "--compressed-caching=true"], []],
  [["--compressed-caching=false"], ["--compressed-caching has no effect: layers are never kept in memory"]],
  [["--force", "--force=false"], []],
  [["--cache", "--cache=false"], []],
  [["--tarPath=x"], ["--tarPath is deprecated: write --tar-path"]],
  [
    ["--whitelist-var-run=false"],
    [
      "--whitelist-var-run is deprecated: write --ignore-var-run",
      "--whitelist-var-run has no effect: layers hold what the build wrote to /var/run and nothing else of it",
    ],
  ],
];

for (const [args, notices] of support) {
  test(`${args.join(" ")} gives ${notices.length} notices`, () => assert.deepEqual(checkSupport(parseFlags(args).given), notices));
}

test("every flag that cannot work or does not yet is refused, whatever its kind", () => {
  const examples = { boolean: "", string: "=x", integer: "=7", duration: "=7h", multi: "=x", keyValue: "=a=b", keyMultiValue: "=a=b" };
  const missing = flags.filter((flag) => flag.status === "not yet" || flag.status === "refused");
  assert.ok(missing.length > 3);
  for (const flag of missing) {
    for (const name of [flag.name, ...(flag.aliases ?? [])]) {
      const value = flag.type === "boolean" && flag.default === "true" ? "=false" : examples[flag.type];
      const why = flag.status === "refused" ? `refused: ${flag.reason}` : "not yet supported";
      assert.throws(() => checkSupport(parseFlags([`--${name}${value}`]).given), new UsageError(`flag --${name} is ${why}`));
    }
  }
});

test("the table has every flag of kaniko's executor that the reference names", (t) => {
  const folder = sharedFolder(t, "reference");
  if (folder === undefined) return;
  const [, chapter = ""] = /## 1\. Executor flags(.*?)### 1\.7/s.exec(readFileSync(`${folder}/kaniko.md`, "utf8")) ?? [];
  const rows = chapter.split("\n").filter((line) => line.startsWith("| `--"));
  const named = rows.flatMap((row) => [...(row.split("|")[1] ?? "").matchAll(/--([a-z-]+)/g)].map(([, name]) => name ?? ""));
  const known = new Set(flags.map((flag) => flag.name));
  assert.ok(named.length > 60, `${named.length} flags`);
  assert.deepEqual(
    named.filter((name) => !known.has(name)),
    [],
  );
});

test("names, short names and deprecated spellings are given once", () => {
  const names = flags.flatMap((flag) => [flag.name, ...(flag.aliases ?? []), ...(flag.short === undefined ? [] : [flag.short])]);
  assert.equal(new Set(names).size, names.length);
});

test("every flag that is accepted or refused has its reason, and every default is a value of its flag", () => {
  for (const flag of flags) {
    assert.equal(flag.status === "accepted" || flag.status === "refused", flag.reason !== undefined, flag.name);
    if (flag.default !== undefined) parseFlags([`--${flag.name}=${flag.default}`]);
  }
});

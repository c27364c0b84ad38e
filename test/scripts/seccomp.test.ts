// The compiled seccomp filter decides as Docker's profile says, for every system call and for arguments around each bound.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import fc from "fast-check";
import { type Abi, compileFilter, formatHeader, headerFile, type Instruction, machines, readProfile } from "../../scripts/seccomp.ts";
import { sharedFolder } from "../support/shared.ts";

interface Call {
  readonly arch: number;
  readonly number: number;
  readonly args: readonly bigint[];
}

/** Runs a program as the kernel does: linux/filter.h. */
function interpret(program: readonly Instruction[], { arch, number, args }: Call): number {
  const data = Buffer.alloc(64);
  data.writeUInt32LE(number, 0);
  data.writeUInt32LE(arch, 4);
  for (const [i, value] of args.entries()) data.writeBigUInt64LE(value, 16 + 8 * i);
  let [at, a] = [0, 0];
  for (;;) {
    const { code, jt, jf, k } = program[at++] ?? assert.fail("the program runs off its end");
    if (code === 0x20) a = data.readUInt32LE(k);
    else if (code === 0x54) a = (a & k) >>> 0;
    else if (code === 0x05) at += k;
    else if (code === 0x15) at += a === k ? jt : jf;
    else if (code === 0x25) at += a > k ? jt : jf;
    else if (code === 0x35) at += a >= k ? jt : jf;
    else if (code === 0x06) return k;
    else assert.fail(`opcode ${code}`);
  }
}

const [allow, forbid, missing] = [0x7fff0000, 0x00050001, 0x00050026];

/** What Docker's default container may do, written down from its documentation and moby's list rather than from the profile's rules. */
const rows: readonly (readonly [Abi, string, readonly bigint[], number])[] = [
  ["x86_64", "openat", [], allow],
  ["x86_64", "mount", [], forbid],
  ["x86_64", "umount2", [], forbid],
  ["x86_64", "setns", [], forbid],
  ["x86_64", "unshare", [], forbid],
  ["x86_64", "bpf", [], forbid],
  ["x86_64", "perf_event_open", [], forbid],
  ["x86_64", "open_by_handle_at", [], forbid],
  ["x86_64", "init_module", [], forbid],
  ["x86_64", "iopl", [], forbid],
  ["x86_64", "settimeofday", [], forbid],
  ["x86_64", "reboot", [], forbid],
  ["x86_64", "chroot", [], allow],
  ["x86_64", "mknod", [], allow],
  ["x86_64", "ptrace", [], allow],
  ["x86_64", "arch_prctl", [], allow],
  ["x86_64", "clone", [0x11n], allow],
  ["x86_64", "clone", [0x3d0f00n], allow],
  ...[0x20000n, 0x2000000n, 0x4000000n, 0x8000000n, 0x10000000n, 0x20000000n, 0x40000000n].map((flag): (typeof rows)[number] => [
    "x86_64",
    "clone",
    [flag | 0x11n],
    forbid,
  ]),
  ["x86_64", "clone3", [], missing],
  ["x86_64", "socket", [2n], allow],
  ["x86_64", "socket", [38n], forbid],
  ["x86_64", "socket", [39n], allow],
  ["x86_64", "socket", [40n], forbid],
  ["x86_64", "socket", [41n], allow],
  ["x86_64", "socket", [0x100000002n], allow],
  ["x86_64", "personality", [0n], allow],
  ["x86_64", "personality", [8n], allow],
  ["x86_64", "personality", [0xffffffffn], allow],
  ["x86_64", "personality", [0x40000n], forbid],
  ["x86_64", "personality", [0x100000008n], forbid],
  ["x32", "openat", [], allow],
  ["x32", "mount", [], forbid],
  ["i386", "openat", [], allow],
  ["i386", "socketcall", [], allow],
  ["i386", "mount", [], forbid],
  ["i386", "clone", [0x10000011n], forbid],
  ["aarch64", "openat", [], allow],
  ["aarch64", "mount", [], forbid],
  ["aarch64", "clone", [0x10000011n], forbid],
  ["aarch64", "clone3", [], missing],
  ["arm", "cacheflush", [], allow],
  ["arm", "set_tls", [], allow],
  ["arm", "mount", [], forbid],
];

const everyAbi = Object.entries(machines).flatMap(([machine, { abis }]) =>
  abis.flatMap(([arch, names]) => names.map((abi: Abi) => ({ machine: machine as keyof typeof machines, arch, abi }))),
);

test("calls are decided as in Docker's default container", () => {
  const { numbers } = readProfile();
  for (const [abi, name, args, expected] of rows) {
    const { machine, arch } = everyAbi.find((one) => one.abi === abi) ?? assert.fail(abi);
    const number = numbers[name]?.[abi] ?? assert.fail(`${name} has no number for ${abi}`);
    assert.equal(interpret(compileFilter(machine), { arch, number, args }), expected, `${abi} ${name}(${args})`);
  }
});

test("every number and argument gets what the profile's rules give it", () => {
  const { profile, numbers } = readProfile();
  const capabilities = new Set(["CAP_MKNOD", "CAP_SYS_CHROOT", "CAP_NET_RAW"]);
  const bounds = [0n, 8n, 38n, 39n, 40n, 41n, 0x20000n, 0x20008n, 0x7e020000n, 0xffffffffn, 0x100000000n];
  const value = fc.oneof(fc.constantFrom(...bounds), fc.bigInt({ min: 0n, max: (1n << 64n) - 1n }));
  for (const { machine, arch, abi } of everyAbi) {
    const program = compileFilter(machine);
    const base = abi === "x32" ? 0x40000000 : 0;
    const names = new Map(Object.entries(numbers).map(([name, row]) => [row[abi], name]));
    const architecture = machine === "x86_64" ? "amd64" : "arm64";
    const decide = (number: number, args: readonly bigint[]): number => {
      const name = names.get(number);
      const rules = profile.syscalls.filter(
        ({ names, includes = {}, excludes = {} }) =>
          name !== undefined &&
          names.includes(name) &&
          (includes.arches?.includes(architecture) ?? true) &&
          (includes.caps?.every((cap) => capabilities.has(cap)) ?? true) &&
          !excludes.arches?.includes(architecture) &&
          !excludes.caps?.some((cap) => capabilities.has(cap)),
      );
      const holds = rules.find(({ args: conditions = [] }) =>
        conditions.every(({ index, op, value, valueTwo = 0 }) => {
          const given = args[index] ?? 0n;
          if (op === "SCMP_CMP_LT") return given < BigInt(value);
          if (op === "SCMP_CMP_GT") return given > BigInt(value);
          if (op === "SCMP_CMP_MASKED_EQ") return (given & BigInt(value)) === BigInt(valueTwo);
          return given === BigInt(value);
        }),
      );
      if (holds === undefined) return 0x00050000 | profile.defaultErrnoRet;
      return holds.action === "SCMP_ACT_ALLOW" ? allow : 0x00050000 | (holds.errnoRet ?? profile.defaultErrnoRet);
    };
    for (let number = base; number < base + 600; number++)
      assert.equal(interpret(program, { arch, number, args: [] }), decide(number, []), `${abi} ${number}`);
    fc.assert(
      fc.property(
        fc.constantFrom(...[...names.keys()].filter((key) => key !== undefined)),
        fc.array(value, { minLength: 6, maxLength: 6 }),
        (number, args) => assert.equal(interpret(program, { arch, number, args }), decide(number, args)),
      ),
      { numRuns: 300 },
    );
  }
});

test("a call of an unknown architecture ends the process", () => {
  assert.equal(interpret(compileFilter("x86_64"), { arch: 0xc00000b7, number: 0, args: [] }), 0x80000000);
});

test("the filter fits the kernel and the committed header is up to date", () => {
  for (const machine of ["x86_64", "aarch64"] as const) assert.ok(compileFilter(machine).length < 4096);
  assert.equal(readFileSync(headerFile, "utf8"), formatHeader());
});

test("the profile is the one that Docker has", (t) => {
  const folder = sharedFolder(t, "environments");
  if (folder !== undefined) assert.deepEqual(readProfile().profile, JSON.parse(readFileSync(`${folder}/seccomp-docker.json`, "utf8")));
});

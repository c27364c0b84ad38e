// Compiles Docker's default seccomp profile, for Docker's default capabilities, into the BPF programs of native/seccomp-filter.h.
//
// scripts/seccomp/docker.json is the profile as https://github.com/moby/profiles has it; scripts/seccomp/syscalls.json holds the
// numbers of the system calls that it names, from the kernel's headers and libseccomp. `--check` fails where the header is out of date.

import { readFileSync, writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";

export type Abi = "x86_64" | "i386" | "x32" | "aarch64" | "arm";

export interface Profile {
  readonly defaultErrnoRet: number;
  readonly syscalls: readonly ProfileRule[];
}

interface ProfileRule {
  readonly names: readonly string[];
  readonly action: string;
  readonly errnoRet?: number;
  readonly args?: readonly Condition[];
  readonly includes?: Scope;
  readonly excludes?: Scope;
}

interface Scope {
  readonly caps?: readonly string[];
  readonly arches?: readonly string[];
  /** All kernels that Slipway runs on are newer than those that profiles name. */
  readonly minKernel?: string;
}

interface Condition {
  readonly index: number;
  readonly value: number;
  readonly valueTwo?: number;
  readonly op: string;
}

export interface Instruction {
  readonly code: number;
  readonly jt: number;
  readonly jf: number;
  readonly k: number;
}

/** What happens to a system call: the first rule whose conditions all hold decides, else the default. */
interface Verdict {
  readonly rules: readonly { readonly conditions: readonly Condition[]; readonly action: number }[];
}

/** The machine's architecture as the profile calls it, and its ABIs by what the kernel reports as `arch`: https://github.com/torvalds/linux/blob/master/include/uapi/linux/audit.h */
export const machines = {
  x86_64: { profileName: "amd64", abis: [[0xc000003e, ["x86_64", "x32"]] as const, [0x40000003, ["i386"]] as const] },
  aarch64: { profileName: "arm64", abis: [[0xc00000b7, ["aarch64"]] as const, [0x40000028, ["arm"]] as const] },
} satisfies Record<string, { profileName: string; abis: readonly (readonly [number, readonly Abi[]])[] }>;

const dockerCapabilities = new Set(
  "CHOWN DAC_OVERRIDE FSETID FOWNER MKNOD NET_RAW SETGID SETUID SETFCAP SETPCAP NET_BIND_SERVICE SYS_CHROOT KILL AUDIT_WRITE"
    .split(" ")
    .map((name) => `CAP_${name}`),
);

const actions = { allow: 0x7fff0000, errno: 0x00050000, killProcess: 0x80000000 } as const;
/** Opcodes of classic BPF: linux/bpf_common.h. */
const op = { loadWord: 0x20, and: 0x54, jump: 0x05, equal: 0x15, greater: 0x25, greaterOrEqual: 0x35, result: 0x06 } as const;
const [numberOffset, archOffset, argumentsOffset] = [0, 4, 16];

export function readProfile(): { profile: Profile; numbers: Record<string, Partial<Record<Abi, number>>> } {
  const read = (name: string) => JSON.parse(readFileSync(new URL(`seccomp/${name}.json`, import.meta.url), "utf8"));
  return { profile: read("docker"), numbers: read("syscalls") };
}

/** Whether a rule counts for this architecture and these capabilities, as moby's profiles/seccomp decides it. */
function applies({ includes = {}, excludes = {} }: ProfileRule, architecture: string): boolean {
  const held = (names: readonly string[] = []) => names.filter((name) => dockerCapabilities.has(name)).length;
  if (includes.arches?.length && !includes.arches.includes(architecture)) return false;
  if (excludes.arches?.includes(architecture)) return false;
  return held(includes.caps) === (includes.caps?.length ?? 0) && held(excludes.caps) === 0;
}

function collectVerdicts(abis: readonly Abi[], architecture: string): Map<number, Verdict> {
  const { profile, numbers } = readProfile();
  const verdicts = new Map<number, Verdict>();
  for (const rule of profile.syscalls.filter((rule) => applies(rule, architecture))) {
    const action = rule.action === "SCMP_ACT_ALLOW" ? actions.allow : actions.errno | (rule.errnoRet ?? profile.defaultErrnoRet);
    for (const number of rule.names.flatMap((name) => abis.map((abi) => numbers[name]?.[abi]))) {
      if (number === undefined) continue;
      const rules = [...(verdicts.get(number)?.rules ?? []), { conditions: rule.args ?? [], action }];
      // A rule without conditions makes the others for its system call idle, in whatever order they stand.
      verdicts.set(number, {
        rules: rules
          .filter(({ conditions }) => conditions.length === 0)
          .slice(0, 1)
          .concat(rules),
      });
    }
  }
  return verdicts;
}

const give = (k: number): Instruction => ({ code: op.result, jt: 0, jf: 0, k });
const load = (k: number): Instruction => ({ code: op.loadWord, jt: 0, jf: 0, k });
const test = (code: number, k: number, jt: number, jf: number): Instruction => ({ code, k, jt, jf });

/** Goes on behind its last instruction where the condition holds, else `skip` instructions behind that. Arguments have 64 bits. */
function compileCondition({ index, value, valueTwo = 0, op: name }: Condition, skip: number): Instruction[] {
  const low = load(argumentsOffset + 8 * index);
  const high = load(argumentsOffset + 8 * index + 4);
  switch (name) {
    case "SCMP_CMP_EQ":
      return [high, test(op.equal, 0, 0, skip + 2), low, test(op.equal, value, 0, skip)];
    case "SCMP_CMP_LT":
      return [high, test(op.equal, 0, 0, skip + 2), low, test(op.greaterOrEqual, value, skip, 0)];
    case "SCMP_CMP_GT":
      return [high, test(op.greater, 0, 2, 0), low, test(op.greater, value, 0, skip)];
    case "SCMP_CMP_MASKED_EQ":
      return [low, { code: op.and, jt: 0, jf: 0, k: value }, test(op.equal, valueTwo, 0, skip)];
    default:
      throw new Error(`Cannot compile the seccomp profile: the comparison "${name}" is unknown`);
  }
}

function compileVerdict({ rules }: Verdict, fallback: number): Instruction[] {
  const code: Instruction[] = [];
  for (const { conditions, action } of rules) {
    let block = [give(action)];
    for (const condition of conditions.toReversed()) block = [...compileCondition(condition, block.length), ...block];
    code.push(...block);
    if (conditions.length === 0) return code;
  }
  return [...code, give(fallback)];
}

/** A binary search over intervals of system call numbers, which expects the number in the accumulator. */
function compileSearch(intervals: readonly { readonly from: number; readonly code: readonly Instruction[] }[]): Instruction[] {
  const middle = intervals[intervals.length >> 1];
  if (intervals.length <= 1 || middle === undefined) return [...(intervals[0]?.code ?? [])];
  const below = compileSearch(intervals.slice(0, intervals.length >> 1));
  const above = compileSearch(intervals.slice(intervals.length >> 1));
  const far = below.length > 255;
  const branch = far
    ? [test(op.greaterOrEqual, middle.from, 0, 1), { code: op.jump, jt: 0, jf: 0, k: below.length }]
    : [test(op.greaterOrEqual, middle.from, below.length, 0)];
  return [...branch, ...below, ...above];
}

function compileAbi(abis: readonly Abi[], architecture: string): Instruction[] {
  const fallback = actions.errno | readProfile().profile.defaultErrnoRet;
  const verdicts = collectVerdicts(abis, architecture);
  const intervals: { from: number; code: Instruction[] }[] = [{ from: 0, code: [give(fallback)] }];
  const begin = (from: number, code: Instruction[]) => {
    const last = intervals.at(-1);
    if (last?.from === from) intervals.pop();
    if (JSON.stringify(intervals.at(-1)?.code) !== JSON.stringify(code)) intervals.push({ from, code });
  };
  for (const [number, verdict] of [...verdicts].sort(([a], [b]) => a - b)) {
    begin(number, compileVerdict(verdict, fallback));
    begin(number + 1, [give(fallback)]);
  }
  return [load(numberOffset), ...compileSearch(intervals)];
}

/** The whole filter of a machine; a call of an ABI that it does not know ends the process, as libseccomp has it. */
export function compileFilter(machine: keyof typeof machines): Instruction[] {
  const { profileName, abis } = machines[machine];
  let code = [give(actions.killProcess)];
  for (const [arch, names] of [...abis].reverse()) {
    const body = compileAbi(names, profileName);
    code = [test(op.equal, arch, 1, 0), { code: op.jump, jt: 0, jf: 0, k: body.length }, ...body, ...code];
  }
  return [load(archOffset), ...code];
}

function formatFilter(machine: keyof typeof machines): string {
  const items = compileFilter(machine).map(({ code, jt, jf, k }) => `{${code}, ${jt}, ${jf}, 0x${k.toString(16)}}`);
  const lines: string[] = [];
  while (items.length > 0) lines.push(`    ${items.splice(0, 6).join(", ")},`);
  return [`#ifdef __${machine}__`, "static const struct sock_filter default_filter[] = {", ...lines, "};", "#endif", ""].join("\n");
}

/** The text of native/seccomp-filter.h. */
export function formatHeader(): string {
  const head =
    "// Docker's default seccomp profile for its default capabilities, compiled by scripts/seccomp.ts; do not edit.\n#include <linux/filter.h>\n\n";
  return head + formatFilter("x86_64") + formatFilter("aarch64");
}

export const headerFile = fileURLToPath(new URL("../native/seccomp-filter.h", import.meta.url));

if (import.meta.filename === process.argv[1]) {
  const text = formatHeader();
  if (process.argv[2] !== "--check") writeFileSync(headerFile, text);
  else if (readFileSync(headerFile, "utf8") !== text)
    throw new Error("native/seccomp-filter.h is out of date: run `node scripts/seccomp.ts`");
}

// An emulator for programs of a foreign processor, registered with the kernel for one command and no longer.

import { execFile } from "node:child_process";
import { existsSync } from "node:fs";
import type { TestContext } from "node:test";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { hostPlatform } from "../../src/image/platform.ts";

/** A processor that this machine's is not. */
export const foreign = hostPlatform().architecture === "arm64" ? "amd64" : "arm64";

const machines = {
  arm64: { name: "aarch64", type: String.raw`\xb7` },
  amd64: { name: "x86_64", type: String.raw`\x3e` },
} as const;
const { name, type } = machines[foreign];

/** A static program for the foreign processor; `version` makes it say "slipway-helper 1". */
export const foreignProgram = fileURLToPath(new URL(`../../dist/slipway-helper-${name}`, import.meta.url));

// Without the F the interpreter would be looked for in the root of each command.
const magic = String.raw`\x7fELF\x02\x01\x01\x00\x00\x00\x00\x00\x00\x00\x00\x00\x02\x00${type}\x00`;
const mask = String.raw`\xff\xff\xff\xff\xff\xff\xff\x00\xff\xff\xff\xff\xff\xff\xff\xff\xfe\xff\xff\xff`;
const entry = `slipway-test-${process.pid}`;
const wrapper = `folder=/proc/sys/fs/binfmt_misc
mount -t binfmt_misc binfmt_misc $folder && printf %s "$0" >$folder/register || exit 99
"$@"
status=$?
echo -1 >$folder/${entry}
exit $status`;

/** Runs a program where commands for the foreign processor run; gives what it wrote to standard error. */
export type RunWithEmulator = (program: string, args: readonly string[]) => Promise<string>;

/** undefined after the test was marked as skipped, which it is nowhere in CI. */
export async function openEmulator(test: TestContext): Promise<RunWithEmulator | undefined> {
  const interpreter = [`/usr/bin/qemu-${name}-static`, `/usr/bin/qemu-${name}`].find((path) => existsSync(path));
  const registration = `:${entry}:M::${magic}:${mask}:${interpreter}:F`;
  const run: RunWithEmulator = async (program, args) => {
    const options = { maxBuffer: 1 << 24 };
    const ran = await promisify(execFile)("unshare", ["--mount", "sh", "-c", wrapper, registration, program, ...args], options);
    return ran.stderr;
  };
  const why =
    interpreter === undefined
      ? `qemu-user-static is not installed`
      : await run(foreignProgram, ["version"]).then(
          () => undefined,
          (error: Error) => `an emulator for ${foreign} cannot be registered here: ${error.message}`,
        );
  if (why === undefined) return run;
  if (process.env.CI) throw new Error(why);
  test.skip(why);
  return undefined;
}

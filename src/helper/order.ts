// Has the helper do one thing that says nothing unless it fails.

import type { Helper } from "./helper.ts";

/** Throws what the helper says; where it says nothing, that it cannot do `what`. */
export async function order(helper: Helper, args: readonly string[], what = `do "${args[0]}"`): Promise<void> {
  const child = helper.start(args);
  child.stdin.end();
  child.stdout.resume();
  const { code, signal, stderr } = await child.exited;
  if (code !== 0) throw new Error(stderr || `Cannot ${what}: the helper ended with ${signal ?? `exit code ${code}`}`);
}

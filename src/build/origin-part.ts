// Which part of an instruction says where files come from.

import { flagValue, type Part } from "../dockerfile/dockerfile.ts";

/** `from` is the name of a stage, a context or an image. */
export function originPart(kind: string, from: string): Part {
  return kind === "run" ? { of: "flag", text: "--mount", inner: `from=${from}` } : flagValue("--from", from);
}

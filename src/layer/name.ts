// How the names in an archive become paths below a root.

import type { RawPath } from "./entry.ts";
import { MalformedLayerError } from "./source.ts";

// Linux takes no longer ones: PATH_MAX counts the final NUL, NAME_MAX is 255.
const maxPath = 4095;
const longPart = /[^/]{256}/;
const needsWork = /(?:^|\/)\.{0,2}(?:\/|$)/;

/**
 * Makes a name relative to the root and plain: no slash at either end, no empty part, no `.`; `..` goes up and stops at the root,
 * as in a chroot. "" is the root. Throws for what Linux could not hold.
 */
export function normalizeName(name: RawPath, maxDepth: number): RawPath {
  const path = needsWork.test(name) ? resolveParts(name) : name;
  if (path.length > maxPath || longPart.test(path)) throw new MalformedLayerError(`name of ${path.length} bytes is too long`);
  let depth = 0;
  for (let slash = path.indexOf("/"); slash >= 0; slash = path.indexOf("/", slash + 1)) depth += 1;
  if (depth >= maxDepth) throw new MalformedLayerError(`directories nested ${depth + 1} deep`);
  return path;
}

function resolveParts(name: RawPath): RawPath {
  const parts: string[] = [];
  for (const part of name.split("/")) {
    if (part === "..") parts.pop();
    else if (part !== "" && part !== ".") parts.push(part);
  }
  return parts.join("/");
}

/** A symlink's target stays as it is. */
export function checkTarget(target: RawPath): RawPath {
  if (target === "") throw new MalformedLayerError("symlink without target");
  if (target.length > maxPath) throw new MalformedLayerError(`symlink target of ${target.length} bytes is too long`);
  return target;
}

// The /etc/passwd and /etc/group of an image, for USER and --chown.

import { resolvePath, type Tree } from "../filesystem/filesystem.ts";

/** The files' text where the image has them; only what a layer index keeps of them is read. */
export function accountsOf(tree: Tree): { readonly passwd?: string; readonly group?: string } {
  const passwd = resolvePath(tree, "etc/passwd").node?.text;
  const group = resolvePath(tree, "etc/group").node?.text;
  return { ...(passwd === undefined ? {} : { passwd }), ...(group === undefined ? {} : { group }) };
}

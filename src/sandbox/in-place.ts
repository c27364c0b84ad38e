// The sandbox in the executor image's own root: an image's files take the place of the container's while a command runs, by rename, and
// go back by rename. It isolates nothing. Changes are found by comparing the image's files before and after.

import { existsSync, statSync } from "node:fs";
import { join } from "node:path";
import { removeTree } from "../filesystem/filesystem.ts";
import { type Helper, order } from "../helper/helper.ts";
import { type FlatTools, openFlat } from "./flat-root.ts";
import type { Sandbox, SandboxOptions } from "./sandbox.ts";
import { type Place, SandboxError } from "./start-command.ts";

/** scripts/image.ts puts it there. */
const mark = "/kaniko/executor-image";
/** Where the helper has its journal, and files that cannot lie in the state directory. */
const own = "/kaniko/in-place";

export function openInPlace(tools: FlatTools & Pick<SandboxOptions, "keeps" | "report">, why: string): Sandbox {
  const { helper, report } = tools;
  const onWritten = (path: string) =>
    report.emit({ kind: "warning", text: `RUN changed "${path}", which is this container's own; that is no part of the image` });
  return openFlat(
    { ...tools, stateDir: homeInPlace(tools.stateDir) },
    {
      ...{ name: "inplace", why },
      place: (root, scratch) => placeInPlace(root, scratch, [tools.stateDir, ...(tools.keeps ?? [])]),
      isMoved: true,
      listeners: { onWritten },
      close: () => recoverInPlace(helper),
    },
  );
}

export function placeInPlace(root: string, scratch: string, keeps: readonly string[]): Place {
  return { kind: "in-place", root, scratch, keeps };
}

/** Whether this may be the executor image; the helper makes sure. */
export const isExecutorImage = (): boolean => existsSync(mark);

/** The state directory, or another one where that is on another file system than the root. Throws outside the executor image. */
export function homeInPlace(stateDir: string): string {
  if (!isExecutorImage()) throw new SandboxError("Cannot run in place: this is not the executor image");
  return statSync(stateDir).dev === statSync("/").dev ? stateDir : own;
}

/** Puts back what a build that was killed has moved. */
async function recoverInPlace(helper: Helper): Promise<void> {
  if (existsSync(join(own, "journal"))) await order(helper, ["run", "recover"], "put the container's files back");
  if (existsSync(join(own, "rubbish"))) await removeTree(join(own, "rubbish"));
}

// Hands the finished image over: files are prepared first, then blobs and tags are pushed, then the files appear.

import type { Release } from "../image/encode.ts";
import { formatReference, repositoryName, withDefaultTag } from "../image/reference.ts";
import { prepareOutputs, type RootItems } from "../output/output.ts";
import type { Push } from "../registry/registry.ts";
import type { Report } from "../report/report.ts";
import { during } from "./failure.ts";
import { putText } from "./put.ts";
import type { Request } from "./request.ts";

/** Writes everything that was asked for, or nothing but unreferenced blobs. Gives what was written. */
export async function deliver(
  release: Release,
  request: Pick<Request, "destinations" | "outputs" | "registry">,
  push: Push | undefined,
  tools: { readonly report: Report; readonly signal: AbortSignal; readonly rootItems: RootItems },
): Promise<readonly string[]> {
  const destinations = request.destinations.map(withDefaultTag);
  const prepared = await during(
    "writing outputs",
    prepareOutputs(release, request.outputs, destinations, {
      put: (url, text) => putText(url, text, request.registry),
      signal: tools.signal,
      rootItems: tools.rootItems,
    }),
  );
  try {
    const pushed: string[] = [];
    if (push !== undefined) {
      for (const destination of destinations)
        tools.report.emit({ kind: "notice", text: `Pushing image to ${formatReference(destination)}` });
      for (const { reference, digest } of await during("pushing image", push.finish(release))) {
        tools.report.emit({ kind: "notice", text: `Pushed ${repositoryName(reference)}@${digest}` });
        pushed.push(formatReference(reference));
      }
    }
    return [...pushed, ...(await during("writing outputs", prepared.commit()))];
  } catch (error) {
    await prepared.discard();
    throw error;
  }
}

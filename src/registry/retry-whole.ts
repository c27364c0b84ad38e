// The retries that users ask for, `--push-retry` and `--image-download-retry`, on top of those of each request.

import { type BackOff, pause, waitBefore } from "../http/http.ts";
import type { Report } from "../report/report.ts";
import { RegistryError } from "./error.ts";

export async function retryWhole<T>(
  retries: number,
  what: string,
  tools: { readonly report: Report; readonly backOff: BackOff; readonly signal?: AbortSignal | undefined },
  work: () => Promise<T>,
): Promise<T> {
  // Twice the first wait of a single request: by default 1 s, 2 s, 4 s …, as kaniko does it.
  const backOff = { ...tools.backOff, firstMs: tools.backOff.firstMs * 2 };
  for (let turn = 1; ; turn++) {
    try {
      return await work();
    } catch (error) {
      tools.signal?.throwIfAborted();
      if (turn > retries || !(error instanceof Error) || (error instanceof RegistryError && error.failure === "unsupported")) throw error;
      tools.report.emit({ kind: "warning", text: `Trying again (${turn} of ${retries}) to ${what}: ${error.message}` });
      await pause(waitBefore(turn + 1, backOff) ?? 0, tools.signal);
    }
  }
}

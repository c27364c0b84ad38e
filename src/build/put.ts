// Sends a digest file's text to a URL.

import { openHttp } from "../http/http.ts";
import type { RegistryOptions } from "../registry/registry.ts";

/** PUT as text/plain; throws unless the host answers 2xx. */
export async function putText(url: string, text: string, options: Pick<RegistryOptions, "userAgent" | "proxies" | "roots">): Promise<void> {
  const http = openHttp(options);
  try {
    const response = await http.request("PUT", url, { headers: { "content-type": "text/plain" }, body: Buffer.from(text) });
    await response.discard();
    if (response.status < 200 || response.status > 299)
      throw new Error(`Cannot put digest to "${new URL(url).host}": it answered ${response.status}`);
  } finally {
    await http.close();
  }
}

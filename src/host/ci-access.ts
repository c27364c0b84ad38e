// Where the runner says that the cache service of GitHub Actions is.

import type { CiAccess } from "../cache/cache.ts";
import type { Environment } from "./surroundings.ts";

/** Reads a runner's variables; undefined where there is no cache service. */
export function ciAccessFrom(environment: Environment): CiAccess | undefined {
  const token = environment.ACTIONS_RUNTIME_TOKEN;
  // A server of one's own speaks the old protocol, whatever its runner says.
  const protocol = environment.ACTIONS_CACHE_SERVICE_V2 && isGitHubItself(environment.GITHUB_SERVER_URL) ? 2 : 1;
  const url = protocol === 2 ? environment.ACTIONS_RESULTS_URL : environment.ACTIONS_CACHE_URL || environment.ACTIONS_RESULTS_URL;
  if (!token || !url || !URL.canParse(url)) return undefined;
  const mode = environment.ACTIONS_CACHE_MODE?.trim().toLowerCase();
  return { protocol, url: url.endsWith("/") ? url : `${url}/`, token, ...(mode ? { mode } : {}) };
}

function isGitHubItself(server: string | undefined): boolean {
  if (!server || !URL.canParse(server)) return true;
  return /^github\.com$|\.ghe\.com$|\.localhost$/.test(new URL(server).hostname);
}

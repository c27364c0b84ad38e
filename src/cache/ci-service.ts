// Where the cache service of a GitHub Actions runner is, and which of its two protocols it speaks.

import type { Http } from "../http/http.ts";
import type { Entries } from "./ci-entry.ts";
import { openEntriesV1 } from "./ci-service-v1.ts";
import { openEntriesV2 } from "./ci-service-v2.ts";

/** Where a job's cache service is and what it lets the job do; the runner says so in the environment of an action's own process. */
export interface CiAccess {
  /** Of the protocol: 1 is `_apis/artifactcache`, 2 Twirp and the signed URLs of a block store. */
  readonly protocol: 1 | 2;
  readonly url: string;
  readonly token: string;
  /** `none`, `read`, `write` or `write-only`; whatever else, and nothing, forbids nothing. */
  readonly mode?: string;
}

export function openEntries(access: CiAccess, http: Http): Entries {
  return access.protocol === 2 ? openEntriesV2(access, http) : openEntriesV1(access, http);
}

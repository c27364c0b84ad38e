// Where a runner says that its cache service is.

import assert from "node:assert/strict";
import { test } from "node:test";
import type { CiAccess } from "../../src/cache/cache.ts";
import { ciAccessFrom } from "../../src/host/ci-access.ts";

const [v1, v2] = ["https://old.example/abc/", "https://results.example/"];
const both = { ACTIONS_CACHE_URL: v1, ACTIONS_RESULTS_URL: v2, ACTIONS_RUNTIME_TOKEN: "t" };
const newest = { ...both, ACTIONS_CACHE_SERVICE_V2: "True" };

const environments: Record<string, [Record<string, string>, CiAccess | undefined]> = {
  "GitHub's own": [
    { ...newest, GITHUB_SERVER_URL: "https://github.com" },
    { protocol: 2, url: v2, token: "t" },
  ],
  "without a server": [newest, { protocol: 2, url: v2, token: "t" }],
  "with data residency": [
    { ...newest, GITHUB_SERVER_URL: "https://octo.ghe.com" },
    { protocol: 2, url: v2, token: "t" },
  ],
  "a server of one's own, whatever it says": [
    { ...newest, GITHUB_SERVER_URL: "https://git.example" },
    { protocol: 1, url: v1, token: "t" },
  ],
  "without the newer service": [both, { protocol: 1, url: v1, token: "t" }],
  "act's, without a slash": [
    { ACTIONS_CACHE_URL: "http://10.0.0.2:4000", ACTIONS_RUNTIME_TOKEN: "t" },
    { protocol: 1, url: "http://10.0.0.2:4000/", token: "t" },
  ],
  "the old service at the new one's place": [
    { ACTIONS_RESULTS_URL: v2, ACTIONS_RUNTIME_TOKEN: "t" },
    { protocol: 1, url: v2, token: "t" },
  ],
  "with a mode": [
    { ...newest, ACTIONS_CACHE_MODE: " Read " },
    { protocol: 2, url: v2, token: "t", mode: "read" },
  ],
  "without a token": [{ ACTIONS_RESULTS_URL: v2, ACTIONS_CACHE_SERVICE_V2: "1" }, undefined],
  "without an address": [{ ACTIONS_CACHE_SERVICE_V2: "1", ACTIONS_CACHE_URL: v1, ACTIONS_RUNTIME_TOKEN: "t" }, undefined],
  "with what is no address": [{ ACTIONS_CACHE_URL: "none", ACTIONS_RUNTIME_TOKEN: "t" }, undefined],
  "without any": [{}, undefined],
};

for (const [name, [environment, expected]] of Object.entries(environments)) {
  test(`a runner's environment, ${name}`, () => assert.deepEqual(ciAccessFrom(environment), expected));
}

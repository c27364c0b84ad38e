// What a job's token says of scopes.

import assert from "node:assert/strict";
import { test } from "node:test";
import { scopesOf } from "../../src/cache/ci-token.ts";
import { tokenFor } from "../support/cache-service.ts";

const everything = [{ name: "", mayRead: true, mayWrite: true }];
const payload = (value: unknown) => `e30.${Buffer.from(JSON.stringify(value)).toString("base64url")}.s`;

const tokens: Record<string, [string, ReturnType<typeof scopesOf>]> = {
  "of a pull request": [
    tokenFor({ "refs/heads/main": 1, "refs/pull/7/merge": 3 }),
    [
      { name: "refs/pull/7/merge", mayRead: true, mayWrite: true },
      { name: "refs/heads/main", mayRead: true, mayWrite: false },
    ],
  ],
  "that may only write": [tokenFor({ "refs/heads/main": 2 }), [{ name: "refs/heads/main", mayRead: false, mayWrite: true }]],
  "without a single scope": [tokenFor({}), []],
  "without the claim": [payload({ iss: "someone" }), everything],
  "whose claim is no JSON": [payload({ ac: "[" }), everything],
  "that is none": ["token", everything],
};

for (const [name, [token, expected]] of Object.entries(tokens)) {
  test(`a token ${name}`, () => assert.deepEqual(scopesOf(token), expected));
}

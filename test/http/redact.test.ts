// What is shown of URLs and texts that hold secrets.

import assert from "node:assert/strict";
import { test } from "node:test";
import { redactText, redactUrl } from "../../src/http/redact.ts";

const urls: readonly [given: string, shown: string][] = [
  ["https://user:word@host.test/a/b", "https://host.test/a/b"],
  ["https://s3.test/blob?X-Amz-Signature=abc&X-Amz-Date=1", "https://s3.test/blob?X-Amz-Signature=…&X-Amz-Date=…"],
  ["https://host.test/path#part", "https://host.test/path"],
  ["http://host.test:5000/", "http://host.test:5000/"],
  ["//user:word@host/x?sig=1", "//host/x?…"],
];

for (const [given, shown] of urls) test(`redactUrl shows ${shown}`, () => assert.equal(redactUrl(given), shown));

const texts: readonly [given: string, hidden: string][] = [
  ["see https://u:hunter2@h.test/x for more", "hunter2"],
  ["git://t0ken@h.test/x and ssh://me:hunter2@h.test/x", "t0ken"],
  ["git://t0ken@h.test/x and ssh://me:hunter2@h.test/x", "hunter2"],
  ["Authorization: Bearer abcdef.ghijkl-mnop", "abcdef"],
  ["sent Basic dXNlcjpwYXNzd29yZA==", "dXNlcjp"],
  ['{"token":"t0psecret","x":1}', "t0psecret"],
  ['{"password" : "t0psecret"}', "t0psecret"],
  ["GET https://h.test/?sig=t0psecret failed", "t0psecret"],
];

for (const [given, hidden] of texts)
  test(`redactText hides ${hidden} in ${given.slice(0, 20)}…`, () => assert.ok(!redactText(given).includes(hidden)));

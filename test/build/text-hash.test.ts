// One hash of many texts.

import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { test } from "node:test";
import { TextHash } from "../../src/build/text-hash.ts";

for (const encoding of ["utf8", "latin1"] as const) {
  test(`texts in pieces have the digest of their whole, in ${encoding}, and more may follow`, () => {
    const hash = new TextHash(encoding);
    const expected = createHash("sha256");
    for (let i = 0; i < 5000; i += 1) {
      const text = `${i} é`.repeat(i % 7);
      hash.update(text);
      expected.update(text, encoding);
      if (i % 1000 === 0) assert.equal(hash.digest("hex"), expected.copy().digest("hex"));
    }
    assert.equal(hash.digest("base64url"), expected.digest("base64url"));
  });
}

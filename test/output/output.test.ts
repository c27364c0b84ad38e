// All outputs together: formats, and that a failed build leaves none.

import assert from "node:assert/strict";
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { type TestContext, test } from "node:test";
import { encodeRelease } from "../../src/image/encode.ts";
import { parseReference } from "../../src/image/reference.ts";
import type { LayerItem } from "../../src/layer/entry.ts";
import { type FileOutputs, type OutputTools, prepareOutputs } from "../../src/output/output.ts";
import { breakLayer, makeImage, makeLayer } from "./sample-image.ts";

function temporary(t: TestContext): string {
  const directory = mkdtempSync(path.join(tmpdir(), "slipway-output-"));
  t.after(() => rmSync(directory, { recursive: true, force: true }));
  return directory;
}

const rootItems = () => itemsOf([]);

async function* itemsOf(items: readonly LayerItem[]) {
  yield* items;
}

const noTools: OutputTools = {
  rootItems,
  async put(url) {
    throw new Error(`nobody answers at ${url}`);
  },
};

function allOutputs(directory: string): Required<FileOutputs> {
  return {
    tarPath: path.join(directory, "tar/image.tar"),
    ociLayoutPath: path.join(directory, "layout"),
    ociTarPath: path.join(directory, "layout.tar"),
    rootTarPath: path.join(directory, "root.tar"),
    rootPath: path.join(directory, "root"),
    digestFile: path.join(directory, "digests/a/digest"),
    imageNameWithDigestFile: path.join(directory, "digests/a/names"),
    imageNameTagWithDigestFile: path.join(directory, "digests/b/tags"),
  };
}

const image = makeImage([await makeLayer({ a: "a" }, "gzip")]);
const { digest } = image.manifest.descriptor;
const destinations = ["alpine", "localhost:5000/app:v1", "gcr.io/p/app:2"].map(parseReference);

test("digest and name files have kaniko's formats, to the byte", async (t) => {
  const directory = temporary(t);
  const outputs = allOutputs(directory);
  const written = await (await prepareOutputs(encodeRelease([image]), outputs, destinations, noTools)).commit();
  assert.deepEqual(written.toSorted(), Object.values(outputs).toSorted());
  const rows: [file: string, text: string][] = [
    [outputs.digestFile, digest],
    [outputs.imageNameWithDigestFile, `index.docker.io/library/alpine@${digest}\nlocalhost:5000/app@${digest}\ngcr.io/p/app@${digest}\n`],
    [
      outputs.imageNameTagWithDigestFile,
      `index.docker.io/library/alpine:latest@${digest}\nlocalhost:5000/app:v1@${digest}\ngcr.io/p/app:2@${digest}\n`,
    ],
  ];
  for (const [file, text] of rows) {
    assert.equal(readFileSync(file, "utf8"), text);
    assert.equal(statSync(file).mode & 0o777, 0o644 & ~process.umask());
    assert.equal(statSync(path.dirname(file)).mode & 0o777, 0o700);
  }
});

test("nothing is to be seen before the commit, and nothing is left after a discard", async (t) => {
  const directory = temporary(t);
  const outputs = allOutputs(directory);
  const prepared = await prepareOutputs(encodeRelease([image]), outputs, destinations, noTools);
  for (const target of [outputs.tarPath, path.join(outputs.ociLayoutPath, "index.json"), outputs.digestFile])
    assert.ok(!existsSync(target), target);
  await prepared.discard();
  assert.deepEqual(readdirSync(directory), []);
});

test("a broken layer leaves nothing, and says what is wrong", async (t) => {
  const directory = temporary(t);
  const broken = makeImage([breakLayer(await makeLayer({ a: "a" }, "gzip"))]);
  for (const keep of [["tarPath", "digestFile"], ["ociLayoutPath", "digestFile"], ["tarPath"]]) {
    const outputs = Object.fromEntries(Object.entries(allOutputs(directory)).filter(([key]) => keep.includes(key)));
    await assert.rejects(
      prepareOutputs(encodeRelease([broken]), outputs, destinations, noTools),
      /^Error: the blob is not what its digest says$/,
    );
    assert.deepEqual(readdirSync(directory), [], keep.join());
  }
});

test("https targets are put once, with the commit, and a refusal takes the files back", async (t) => {
  const directory = temporary(t);
  const puts: [string, string][] = [];
  const tools: OutputTools = {
    rootItems,
    async put(url, text) {
      puts.push([url, text]);
      if (url.endsWith("/refused")) throw new Error("host answered 403");
    },
  };
  const outputs = { ...allOutputs(directory), digestFile: "https://host/digest" };
  const prepared = await prepareOutputs(encodeRelease([image]), outputs, destinations, tools);
  assert.deepEqual(puts, []);
  assert.ok((await prepared.commit()).includes("https://host/digest"));
  assert.deepEqual(puts, [["https://host/digest", digest]]);

  const other = temporary(t);
  const refused = await prepareOutputs(
    encodeRelease([image]),
    { ...allOutputs(other), imageNameWithDigestFile: "https://host/refused" },
    destinations,
    tools,
  );
  await assert.rejects(refused.commit(), /host answered 403/);
  assert.deepEqual(readdirSync(other), []);
});

test("what was there before stays until the commit, and after a failure", async (t) => {
  const directory = temporary(t);
  const target = path.join(directory, "digest");
  writeFileSync(target, "before", { mode: 0o600 });
  const tools = { ...noTools };
  const failing = await prepareOutputs(
    encodeRelease([image]),
    { digestFile: target, imageNameWithDigestFile: "https://host/x" },
    destinations,
    tools,
  );
  assert.equal(readFileSync(target, "utf8"), "before");
  await assert.rejects(failing.commit(), /nobody answers/);
  assert.equal(readFileSync(target, "utf8"), "before");
  await (await prepareOutputs(encodeRelease([image]), { digestFile: target }, destinations, tools)).commit();
  assert.equal(readFileSync(target, "utf8"), digest);
  assert.equal(statSync(target).mode & 0o777, 0o600);
  assert.deepEqual(readdirSync(directory), ["digest"]);
});

test("without outputs there is nothing to do", async () => {
  assert.deepEqual(await (await prepareOutputs(encodeRelease([image]), {}, [], noTools)).commit(), []);
});

// What a user can get wrong, and what a registry can: each is refused with its place or its reference, and leaves nothing.

import assert from "node:assert/strict";
import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { describe, type TestContext, test } from "node:test";
import { setTimeout } from "node:timers/promises";
import { gzipSync } from "node:zlib";
import { BuildFailure } from "../../src/build/build.ts";
import type { Request } from "../../src/build/request.ts";
import { digestOf } from "../../src/image/encode.ts";
import { parseReference } from "../../src/image/reference.ts";
import { defaultRegistryOptions } from "../../src/registry/registry.ts";
import { end, header, member } from "../layer/raw-tar.ts";
import { type Builder, fileItem, openBuilder, putBase, temporaryDirectory } from "../support/build.ts";
import { startGitServer } from "../support/git-server.ts";
import { type Marked, readMarks } from "../support/marked.ts";
import { type Fault, startRegistry, type TestRegistry } from "../support/registry.ts";
import { putDocument, putImage } from "../support/registry-image.ts";

interface Expected {
  readonly message: RegExp;
  readonly line?: number;
  /** What of the instruction is wrong. */
  readonly exact?: Marked["range"];
  readonly hint?: RegExp;
  readonly phase?: BuildFailure["phase"];
}

/** Builds with every output asked for, and checks the error and that nothing came of it. */
async function assertRefused(
  builder: Builder,
  registry: TestRegistry,
  files: Readonly<Record<string, string>>,
  expected: Expected,
  request: Partial<Request> = {},
): Promise<void> {
  const outputs = {
    digestFile: join(builder.directory, "digest"),
    tarPath: join(builder.directory, "image.tar"),
    ociLayoutPath: join(builder.directory, "layout"),
  };
  const destinations = [parseReference(`${registry.host}/app:1`)];
  const mounts = readFileSync("/proc/self/mounts", "utf8");
  const processes = childProcesses();
  await assert.rejects(builder.build(files, { destinations, outputs, ...request }), (error) => {
    assert.ok(error instanceof BuildFailure, String(error));
    assert.match(error.message, expected.message);
    assert.doesNotMatch(error.message, /\n|\[object|undefined|\(did you mean/);
    assert.equal(error.place?.line, expected.line, error.message);
    if (expected.exact !== undefined) assert.deepEqual(error.place?.exact, expected.exact, error.message);
    assert.match(error.hint ?? "", expected.hint ?? /^/);
    assert.equal(error.phase, expected.phase ?? "building image");
    assert.equal(error.exitCode, 1);
    return true;
  });
  assert.equal(registry.repositories.get("app")?.manifests.size ?? 0, 0, "tags");
  assert.deepEqual(
    readdirSync(builder.directory).filter((name) => !name.startsWith("context")),
    [],
    "files and state",
  );
  assert.equal(readFileSync("/proc/self/mounts", "utf8"), mounts, "mounts");
  // The test's own server of git repositories ends its processes when it likes.
  for (const end = Date.now() + 5000; Date.now() < end && childProcesses().length > processes.length; ) await setTimeout(20);
  assert.deepEqual(childProcesses(), processes, "processes");
}

/** Of this process; those that ended do not count. */
function childProcesses(): string[] {
  return readdirSync("/proc")
    .filter((name) => /^\d+$/.test(name))
    .filter((pid) => {
      const [, state, parent] = /\) (\w) (\d+)/.exec(readStatus(pid)) ?? [];
      return parent === String(process.pid) && state !== "Z";
    });
}

/** Empty for a process that has ended meanwhile. */
function readStatus(pid: string): string {
  try {
    return readFileSync(`/proc/${pid}/stat`, "utf8");
  } catch {
    return "";
  }
}

/** Has `/a` and nothing else. */
async function startWeb(t: TestContext): Promise<string> {
  const server = createServer((request, response) => response.writeHead(request.url === "/a" ? 200 : 404).end("a"));
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  t.after(() => server.close());
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

describe("a Dockerfile that cannot be built", () => {
  // HOST is a registry that has base:1, WEB a web server, GIT a repository of git. Marks stand around what is wrong.
  const rows: readonly (readonly [what: string, dockerfile: string, expected: Expected])[] = [
    ["empty", "", { message: /^the Dockerfile cannot be empty$/, line: 1 }],
    [
      "an unknown instruction",
      "FROM scratch\n«FNTRYPOINT» x",
      { message: /^unknown instruction: FNTRYPOINT$/, line: 2, hint: /^did you mean ENTRYPOINT\?$/ },
    ],
    ["an unknown flag", "FROM scratch\nCOPY «--form»=a b /", { message: /^unknown flag: --form$/, line: 2, hint: /did you mean from/ }],
    [
      "a heredoc without its end",
      "FROM scratch\nRUN «<<E»\necho",
      { message: /^unterminated heredoc$/, line: 2, hint: /no line is just E/ },
    ],
    [
      "an instruction before FROM",
      "RUN x\nFROM scratch",
      { message: /^no build stage in current context$/, line: 1, hint: /FROM must come first/ },
    ],
    [
      "a stage that copies from itself",
      "FROM scratch AS a\nCOPY --from=«a» /x /",
      { message: /^circular dependency detected on stage: a$/, line: 2 },
    ],
    [
      "stages that need each other",
      "FROM scratch AS a\nCOPY --from=«b» /x /\nFROM scratch AS b\nCOPY --from=a /x /",
      { message: /^cannot copy from stage "b", it needs to be defined before/, line: 2 },
    ],
    [
      "the name of an image in a stage that nothing needs",
      "FROM «Final»\nFROM scratch\nCOPY Dockerfile /",
      { message: /^failed to parse stage name "Final": invalid reference format: /, line: 1 },
    ],
    [
      "no name in a stage that nothing needs",
      "ARG none\nFROM scratch AS a\nFROM «$none»\nFROM a\nCOPY Dockerfile /",
      { message: /^base name \(\$none\) should not be blank$/, line: 3 },
    ],
    [
      "a stage that was meant",
      "FROM scratch AS build\nFROM scratch\nCOPY --from=«HOST/bulid» /x /",
      { message: /^Cannot pull ".*\/bulid:latest": .* 404/, line: 3 },
    ],
    [
      "a stage whose name is misspelt",
      "FROM HOST/base:1 AS build\nFROM «bulid»",
      {
        message: /^Cannot pull "index.docker.io\/library\/bulid:latest"/,
        line: 2,
        hint: /^there is no stage "bulid" before this line; did you mean build\?$/,
      },
    ],
    [
      "a base that is not there",
      "FROM «HOST/nope:1»",
      { message: /^Cannot pull ".*\/nope:1": .* answered 404/, line: 1, hint: /check the name and the tag/ },
    ],
    ["a base that is no reference", "FROM «UPPER:1»", { message: /must be lower-case/, line: 1 }],
    [
      "a registry that is down",
      "FROM «127.0.0.1:1/base:1»",
      { message: /^Cannot pull "127.0.0.1:1\/base:1": .*the connection was refused$/, line: 1, hint: /check that 127.0.0.1:1 runs/ },
    ],
    ["a source that is missing", "FROM scratch\nCOPY «nope» /", { message: /"\/nope": not found$/, line: 2, hint: /check the spelling/ }],
    [
      "a source that a stage lacks",
      "FROM HOST/base:1 AS a\nFROM scratch\nCOPY --from=a «/nope» /",
      { message: /"\/nope": not found$/, line: 3 },
    ],
    [
      "a WORKDIR over a file",
      "FROM HOST/base:1\nWORKDIR «/file»",
      { message: /^Cannot create directory "\/file": "\/file" is not a directory$/, line: 2 },
    ],
    [
      "rights that no sandbox gives",
      "FROM scratch\nRUN --security=«insecure» y",
      { message: /^RUN --security=insecure: entitlement security\.insecure is not allowed: no sandbox gives/, line: 2 },
    ],
    [
      "a secret that is required",
      "FROM scratch\nRUN --mount=target=/x --mount=type=secret,id=«none»,required y",
      { message: /^secret none: not found$/, line: 2, hint: /^pass --secret id=none,src=FILE or --secret id=none,env=NAME$/ },
    ],
    [
      "a key of an agent that is required",
      "FROM HOST/base:1\nRUN --mount=type=ssh,id=«deploy»,required y",
      { message: /^no SSH key "deploy" forwarded from the client$/, line: 2, hint: /^pass --ssh deploy$/ },
    ],
    [
      "a device of the machine",
      "FROM scratch\nRUN «--device=nvidia.com/gpu=all» y",
      { message: /^RUN --device=nvidia\.com\/gpu=all is not allowed: no sandbox gives a command a device of this machine$/, line: 2 },
    ],
    [
      "a file with another checksum",
      `FROM scratch\nADD --checksum=sha256:${"0".repeat(64)} «WEB/a» /`,
      {
        message: /^Cannot download "http.*\/a": digest mismatch: it has sha256:[1-9a-f]\w{63}, and --checksum asks for sha256:0{64}$/,
        line: 2,
      },
    ],
    [
      "a file that its host does not have",
      "FROM scratch\nCOPY Dockerfile /\nADD WEB/a \\\n «WEB/nope» /x/",
      { message: /^Cannot download "http.*\/nope": invalid response status 404$/, line: 3 },
    ],
    [
      "a git ref that does not exist",
      "FROM scratch\nADD «GIT#v9» /",
      {
        message: /^Cannot .*repo\.git.*: it does not contain ref v9: there is no refs\/v9 and no refs\/heads\/v9 and no refs\/tags\/v9$/,
        line: 2,
      },
    ],
    [
      "a git ref with another checksum",
      `FROM scratch\nADD --checksum=${"0".repeat(40)} «GIT#v1» /`,
      { message: /expected checksum to match 0{40}, got [0-9a-f]{40}$/, line: 2 },
    ],
  ];
  for (const [what, dockerfile, expected] of rows)
    test(what, async (t) => {
      const registry = await startRegistry(t);
      await putBase(t, registry, "base:1", [[fileItem("file", "x")]]);
      // Docker Hub is this registry, too, so that nothing is asked of the network.
      const options = { ...defaultRegistryOptions, map: { "index.docker.io": [registry.host] } };
      const places = { HOST: registry.host, WEB: await startWeb(t), GIT: (await startGitServer(t)).url("smart") };
      const { text, range } = readMarks(dockerfile.replace(/HOST|WEB|GIT/g, (name) => places[name as keyof typeof places]));
      const exact = range && { exact: range };
      await assertRefused(await openBuilder(t), registry, { Dockerfile: text }, { ...expected, ...exact }, { registry: options });
    });

  test("a context or a Dockerfile that is not there", async (t) => {
    const registry = await startRegistry(t);
    const builder = await openBuilder(t);
    await assertRefused(
      builder,
      registry,
      {},
      { message: /^Cannot open context "\/nonexistent": directory "\/nonexistent" does not exist$/ },
      { context: "/nonexistent" },
    );
    await assertRefused(builder, registry, { x: "" }, { message: /^Cannot read Dockerfile "Dockerfile": there is no file/ });
    await assertRefused(
      builder,
      registry,
      { "Dockerfile/x": "" },
      { message: /^Cannot read Dockerfile "Dockerfile": ".*" is a directory$/ },
    );
  });
});

describe("a registry that is wrong", () => {
  const faults: readonly (readonly [what: string, fault: Fault, message: RegExp])[] = [
    ["a blob with a wrong bit", { kind: "corrupt", method: "GET", path: /blobs\/sha256/, times: 99 }, /sha256:\w+/],
    ["a blob that is cut short", { kind: "truncate", to: 20, method: "GET", path: /blobs\/sha256/, times: 99 }, /sha256:\w+/],
    [
      "a manifest that is no JSON",
      {
        kind: "replace",
        status: 200,
        body: Buffer.from("{"),
        headers: { "content-type": "application/vnd.docker.distribution.manifest.v2+json" },
        method: "GET",
        path: /manifests/,
        times: 99,
      },
      /base:1": .*JSON/,
    ],
    ["a manifest that never ends", { kind: "infinite", method: "GET", path: /manifests/, times: 99 }, /base:1": /],
    ["an answer of 403", { kind: "status", status: 403, method: "GET", path: /manifests/, times: 99 }, /base:1": .* answered 403/],
  ];
  for (const [what, fault, message] of faults)
    test(what, async (t) => {
      const registry = await startRegistry(t);
      await putBase(t, registry, "base:1", [[fileItem("file", "x".repeat(1000))]]);
      registry.order(fault);
      await assertRefused(
        await openBuilder(t),
        registry,
        { Dockerfile: `FROM ${registry.host}/base:1\nCOPY Dockerfile /` },
        { message, line: 1 },
      );
    });

  const layers: readonly (readonly [what: string, tar: Buffer, message: RegExp])[] = [
    ["a damaged header", header({ checksum: "wrong" }), /wrong header checksum/],
    ["content that ends early", Buffer.concat([header({ name: "big", size: 2000 }), Buffer.alloc(700)]), /before the end of "big"/],
  ];
  for (const [what, tar, message] of layers)
    test(`a layer with ${what}`, async (t) => {
      const registry = await startRegistry(t);
      putImage(registry, "base", "1", { layers: [gzipSync(tar)], diffIds: [digestOf(tar)] });
      await assertRefused(
        await openBuilder(t),
        registry,
        { Dockerfile: `FROM ${registry.host}/base:1\nCOPY Dockerfile /` },
        { message, line: 2 },
      );
    });

  test("a layer with names and links that lead out stays below its root", async (t) => {
    const registry = await startRegistry(t);
    const builder = await openBuilder(t);
    const outside = join(builder.directory, "outside");
    const tar = Buffer.concat([
      member({ name: "way", flag: "2", link: builder.directory }),
      member({ name: "way/outside" }, "x"),
      member({ name: `../../../../../..${outside}` }, "x"),
      member({ name: outside }, "x"),
      end,
    ]);
    putImage(registry, "base", "1", { layers: [gzipSync(tar)], diffIds: [digestOf(tar)] });
    // The command comes when the layer is unpacked; where nobody may run one, its index is all there is.
    const [step, message] = process.geteuid?.() === 0 ? ['RUN ["/nope"]', /exit code: 127$/] : ["COPY nope /", /"\/nope": not found$/];
    await assert.rejects(builder.build({ Dockerfile: `FROM ${registry.host}/base:1\nCOPY Dockerfile /\n${step}` }), { message });
    assert.deepEqual(readdirSync(builder.directory), ["context-1"]);
  });

  test("a base without this platform", async (t) => {
    const registry = await startRegistry(t);
    const entry = { mediaType: "application/vnd.oci.image.manifest.v1+json", digest: digestOf(Buffer.from("x")), size: 1 };
    const index = { schemaVersion: 2, manifests: [{ ...entry, platform: { os: "linux", architecture: "s390x" } }] };
    putDocument(registry, "base", "1", "application/vnd.oci.image.index.v1+json", index);
    const message = /^Cannot use ".*base:1" for linux\/\w+: no match for platform in manifest sha256:\w+; it offers linux\/s390x$/;
    await assertRefused(await openBuilder(t), registry, { Dockerfile: `FROM ${registry.host}/base:1` }, { message, line: 1 });
  });

  test("a base that is an image of another platform alone is used, with a warning", async (t) => {
    const registry = await startRegistry(t);
    await putBase(t, registry, "base:1", [[fileItem("file", "x")]]);
    const builder = await openBuilder(t);
    await builder.build(
      { Dockerfile: `FROM ${registry.host}/base:1\nCOPY Dockerfile /` },
      { platforms: [{ os: "linux", architecture: "s390x" }] },
    );
    const warnings = builder.events.flatMap((event) => (event.kind === "warning" ? [event] : []));
    assert.equal(warnings.length, 1);
    assert.match(
      warnings[0]?.text ?? "",
      /^InvalidBaseImagePlatform: Base image .*base:1 was pulled with platform "linux\/\w+", expected "linux\/s390x" for current build$/,
    );
    assert.deepEqual([warnings[0]?.file, warnings[0]?.line], ["Dockerfile", 1]);
  });

  test("credentials that it refuses", async (t) => {
    const registry = await startRegistry(t, { auth: { kind: "basic", username: "u", password: "p" } });
    const expected: Expected = { message: new RegExp(registry.host), phase: "checking push permissions" };
    await assertRefused(await openBuilder(t), registry, { Dockerfile: "FROM scratch\nCOPY Dockerfile /" }, expected);
  });

  test("a push that fails after the last step", async (t) => {
    const registry = await startRegistry(t);
    registry.order({ kind: "refuse", status: 400, method: "PUT", path: /manifests/, times: 99 });
    const expected: Expected = { message: new RegExp(registry.host), phase: "pushing image" };
    await assertRefused(await openBuilder(t), registry, { Dockerfile: "FROM scratch\nCOPY Dockerfile /" }, expected);
  });

  test("an output that cannot be written", async (t) => {
    const registry = await startRegistry(t);
    for (const [digestFile, message] of [
      ["/proc/slipway/digest", /^Cannot write "\/proc\/slipway\/digest": no such file or directory$/],
      ["/etc", /^Cannot write "\/etc": it is a directory$/],
      ["/dev/null/digest", /^Cannot write "\/dev\/null\/digest": "\/dev\/null" is no directory$/],
    ] as const)
      await assertRefused(
        await openBuilder(t),
        registry,
        { Dockerfile: "FROM scratch\nCOPY Dockerfile /" },
        { message, phase: "writing outputs" },
        { outputs: { digestFile } },
      );
    const directory = await temporaryDirectory(t);
    const file = join(directory, "file");
    writeFileSync(file, "");
    for (const [outputs, message] of [
      [{ digestFile: directory }, /it is a directory$/],
      [{ tarPath: join(file, "x.tar") }, /"[^"]*file" is no directory$/],
      [{ ociLayoutPath: file }, /"[^"]*file" is no directory$/],
      [{ ociTarPath: "/dev/full/x/y" }, /"\/dev\/full" is no directory$/],
      [{ rootPath: file }, /it is no directory$/],
      [{ rootTarPath: directory }, /it is a directory$/],
    ] as const) {
      const builder = await openBuilder(t);
      await assertRefused(
        builder,
        registry,
        { Dockerfile: "FROM scratch\nCOPY Dockerfile /" },
        { message, phase: "writing outputs" },
        { outputs },
      );
      assert.ok(!builder.events.some(({ kind }) => kind === "step-start"), "nothing was built before");
    }
    assert.deepEqual(readdirSync(directory), ["file"]);
  });
});

// Flags and environment become the request that they mean.

import assert from "node:assert/strict";
import test from "node:test";
import type { Request } from "../../src/build/build.ts";
import { parseFlags } from "../../src/host/parse-flags.ts";
import { readRequest } from "../../src/host/request.ts";
import type { Environment } from "../../src/host/surroundings.ts";
import { version } from "../../src/host/version.ts";
import { hostPlatform } from "../../src/image/platform.ts";
import { parseReference } from "../../src/image/reference.ts";
import { openTestSurroundings } from "./surroundings.ts";

function read(args: readonly string[], env: Environment = {}, files: Readonly<Record<string, string>> = {}): Request {
  return readRequest(parseFlags(args).given, openTestSurroundings(args, { env, files }));
}

const registry: Request["registry"] = {
  insecure: false,
  insecurePull: false,
  insecureRegistries: [],
  skipTlsVerify: false,
  skipTlsVerifyPull: false,
  skipTlsVerifyRegistries: [],
  certificates: {},
  clientCertificates: {},
  mirrors: [],
  map: {},
  skipDefaultRegistryFallback: false,
  downloadRetries: 0,
  pushRetries: 0,
  ignoreImmutableTags: false,
  dockerConfig: { helperEnvironment: {} },
  proxies: {},
  roots: { files: [], directories: [] },
  userAgent: `slipway/${version}`,
};

const noGit: Request["git"] = { branch: undefined, submodules: undefined, skipTlsVerify: false, protocol: "https", credentials: undefined };

const usual: Request = {
  context: "/workspace",
  git: noGit,
  contextSubPath: "",
  dockerfile: "Dockerfile",
  workingDirectory: "/work",
  buildArgs: new Map(),
  buildContexts: new Map(),
  labels: new Map(),
  targets: [],
  secrets: new Map(),
  ssh: new Map(),
  network: "default",
  allowed: [],
  platforms: [hostPlatform()],
  uncached: { all: false, stages: [] },
  destinations: [],
  push: false,
  checkPushPermission: true,
  outputs: {},
  registry,
  reproducible: false,
  ignoredPaths: [],
  rewriteTimestamp: false,
  annotations: [],
  imageFormat: undefined,
  compression: "gzip",
  compressionLevel: undefined,
  baseFolder: undefined,
  cache: undefined,
  sandbox: "auto",
  sudo: true,
  stateDir: "/tmp/slipway-abcdef",
  stateIsPrivate: true,
  checkOnly: false,
  dryRun: false,
  notices: [],
};

test("--no-push alone gives the defaults", () => assert.deepEqual(read(["--no-push"]), usual));

const fields: readonly [args: string[], expected: Partial<Request>][] = [
  [["--cache-dir=bases"], { baseFolder: { directory: "/work/bases", maxAge: 336 * 3600 } }],
  [["--cache-dir=/b", "--cache-ttl=1h"], { baseFolder: { directory: "/b", maxAge: 3600 } }],
  [["--network=none"], { network: "none" }],
  [["--network=host", "--allow=network.host"], { network: "host", allowed: ["network.host"] }],
  [["--context=."], { context: "/work" }],
  [["-c", "../src/"], { context: "/src" }],
  [["--context=dir:///a/b"], { context: "dir:///a/b" }],
  [["--context=dir://sub"], { context: "dir:///work/sub" }],
  [["--context=git://github.com/a/b#refs/heads/c"], { context: "git://github.com/a/b#refs/heads/c" }],
  [["--context=tar://a.tgz"], { context: "tar:///work/a.tgz" }],
  [["--context=tar://stdin"], { context: "tar://stdin" }],
  [["--context=git@host:a/b.git#c"], { context: "git@host:a/b.git#c" }],
  [
    ["--context=https://host/a.git", "--git=branch=b,recurse-submodules=true"],
    { context: "https://host/a.git", git: { ...noGit, branch: "b", submodules: true } },
  ],
  [["--context=git://h/a", "--git=insecure-skip-tls=1"], { context: "git://h/a", git: { ...noGit, skipTlsVerify: true } }],
  [
    ["--context=git://h/a", "--git=single-branch=true", "--git=depth=1"],
    {
      context: "git://h/a",
      notices: ["No effect: --git single-branch, depth; nothing but the commit that is built is fetched without it"],
    },
  ],
  [["--git=branch=b"], { git: { ...noGit, branch: "b" }, notices: ["No effect: --git; the context is no git repository"] }],
  [["--context-sub-path=app"], { contextSubPath: "app" }],
  [["-f", "docker/Dockerfile.dev"], { dockerfile: "docker/Dockerfile.dev" }],
  [
    ["--label=a=b=c", "--label=d=", "--label=a=e"],
    {
      labels: new Map([
        ["a", "b=c"],
        ["d", ""],
      ]).set("a", "e"),
    },
  ],
  [
    [
      "--build-context=a=../x",
      "--build-context=b=docker-image://c:1",
      "--build-context=c=me@host:d.git",
      "--build-context=d=target:e",
      "--build-context=e=oci-layout://../f:v1",
    ],
    {
      buildContexts: new Map([
        ["a", "/x"],
        ["b", "docker-image://c:1"],
        ["c", "me@host:d.git"],
        ["d", "target:e"],
        ["e", "oci-layout:///f:v1"],
      ]),
    },
  ],
  [["--target=build"], { targets: ["build"] }],
  [["--target="], { targets: [] }],
  [["--target=a,b", "--target=c", "--target=a"], { targets: ["a", "b", "c"] }],
  [["--custom-platform=linux/arm64/v8"], { platforms: [{ os: "linux", architecture: "arm64" }] }],
  [
    ["--platform=linux/amd64,linux/arm/v7", "--platform", "amd64"],
    {
      platforms: [
        { os: "linux", architecture: "amd64" },
        { os: "linux", architecture: "arm", variant: "v7" },
      ],
    },
  ],
  [["--custom-platform="], { platforms: [hostPlatform()] }],
  [["--no-cache"], { uncached: { all: true, stages: [] } }],
  [["--no-cache-filter=a,B", "--no-cache-filter", "c"], { uncached: { all: false, stages: ["a", "B", "c"] } }],
  [["--skip-push-permission-check"], { checkPushPermission: false }],
  [["--tarPath=a.tar"], { outputs: { tarPath: "/work/a.tar" }, notices: ["--tarPath is deprecated: write --tar-path"] }],
  [["--digest-file=d", "--oci-layout-path=/o"], { outputs: { digestFile: "/work/d", ociLayoutPath: "/o" } }],
  [["--digest-file=https://h/d"], { outputs: { digestFile: "https://h/d" } }],
  [["--tar-path="], { outputs: {} }],
  [["--output=type=tar,dest=x.tar"], { outputs: { rootTarPath: "/work/x.tar" } }],
  [["--output=type=docker,dest=d,name=r.test/a:1"], { outputs: { tarPath: "/work/d" }, destinations: [parseReference("r.test/a:1")] }],
  [["--reproducible"], { reproducible: true }],
  [["--rewrite-timestamp"], { rewriteTimestamp: true }],
  [["--annotation=a=b=c"], { annotations: [{ level: "manifest", key: "a", value: "b=c" }] }],
  [["--image-format=oci"], { imageFormat: "oci" }],
  [["--image-format=docker"], { imageFormat: "docker" }],
  [["--compression=zstd", "--compression-level=19"], { compression: "zstd", compressionLevel: 19 }],
  [["--compression-level=-1"], { compressionLevel: undefined }],
  [["--compression-level=0"], { compressionLevel: undefined }],
  [["--sandbox=chroot-bare"], { sandbox: "chroot-bare" }],
  [["--state-dir=s"], { stateDir: "/work/s", stateIsPrivate: false }],
  [["--kaniko-dir=k"], { stateDir: "/work/k/slipway-abcdef" }],
  [["--dryrun"], { dryRun: true }],
  [["--cleanup"], { notices: ["--cleanup has no effect: nothing of the machine's own file system is changed"] }],
];

for (const [args, expected] of fields) {
  test(`${args.join(" ")} is heeded`, () => assert.deepEqual(read(["--no-push", ...args]), { ...usual, ...expected }));
}

const registryFields: readonly [args: string[], env: Environment, expected: Partial<Request["registry"]>][] = [
  [["--insecure", "--insecure-pull"], {}, { insecure: true, insecurePull: true }],
  [["--skip-tls-verify", "--skip-tls-verify-pull"], {}, { skipTlsVerify: true, skipTlsVerifyPull: true }],
  [["--insecure-registry=a:5000", "--insecure-registry", "b,c"], {}, { insecureRegistries: ["a:5000", "b,c"] }],
  [["--skip-tls-verify-registry=a"], {}, { skipTlsVerifyRegistries: ["a"] }],
  [["--registry-certificate=a=ca.pem", "--registry-certificate=b=/b.pem"], {}, { certificates: { a: "/work/ca.pem", b: "/b.pem" } }],
  [["--registry-client-cert=a=c.pem,/k.pem"], {}, { clientCertificates: { a: { certificate: "/work/c.pem", key: "/k.pem" } } }],
  [["--registry-mirror=m1/x"], { KANIKO_REGISTRY_MIRROR: "m2,m3" }, { mirrors: ["m1/x", "m2,m3"] }],
  [["--registry-map=a=1;a=2", "--registry-map=b=3"], { KANIKO_REGISTRY_MAP: "a=4" }, { map: { a: ["1", "2", "4"], b: ["3"] } }],
  [["--skip-default-registry-fallback"], {}, { skipDefaultRegistryFallback: true }],
  [["--push-ignore-immutable-tag-errors"], {}, { ignoreImmutableTags: true }],
  [["--image-download-retry=2", "--push-retry", "3"], {}, { downloadRetries: 2, pushRetries: 3 }],
  [[], { UPSTREAM_CLIENT_TYPE: "ci" }, { userAgent: `slipway/${version},ci` }],
  [[], { SSL_CERT_FILE: "ca.pem", SSL_CERT_DIR: "/a:b:" }, { roots: { files: ["/work/ca.pem"], directories: ["/a", "/work/b"] } }],
  [
    [],
    { http_proxy: "http://p", HTTPS_PROXY: "http://q", NO_PROXY: "x", no_proxy: "y" },
    { proxies: { http: "http://p", https: "http://q", noProxy: "x" } },
  ],
];

for (const [args, env, expected] of registryFields) {
  test(`registry options of ${JSON.stringify(args)} with ${JSON.stringify(env)}`, () => {
    const options = read(["--no-push", ...args], env).registry;
    assert.deepEqual({ ...options, dockerConfig: { helperEnvironment: {} } }, { ...registry, ...expected });
  });
}

test("destinations are references with a tag, and are pushed to", () => {
  const { destinations, push } = read(["-d", "alpine", "--destination=localhost:5000/a/b:v1"]);
  assert.equal(push, true);
  assert.deepEqual(destinations, [
    { registry: "index.docker.io", repository: "library/alpine", tag: "latest" },
    { registry: "localhost:5000", repository: "a/b", tag: "v1" },
  ]);
});

test("build arguments without a value take the variable's, and fall away where there is none", () => {
  const args = ["A=1", "B", "C", "D=", "A=2", "E=x=y", ""].map((text) => `--build-arg=${text}`);
  const { buildArgs } = read(["--no-push", ...args], { B: "from env", "": "odd" });
  assert.deepEqual(Object.fromEntries(buildArgs), { A: "2", B: "from env", D: "", E: "x=y" });
});

const variables: readonly [args: string[], env: Environment, expected: Partial<Request>][] = [
  [["-d", "a"], { KANIKO_NO_PUSH: "true" }, { push: false }],
  [["-d", "a", "--no-push"], { KANIKO_NO_PUSH: "false" }, { push: true }],
  [["-d", "a"], { KANIKO_NO_PUSH: "" }, { push: true }],
  [["--no-push"], { SLIPWAY_HOME: "/home/s" }, { stateDir: "/home/s", stateIsPrivate: false }],
  [["--no-push", "--state-dir=/x"], { SLIPWAY_HOME: "/home/s" }, { stateDir: "/x", stateIsPrivate: false }],
  [["--no-push"], { TMPDIR: "/var/tmp" }, { stateDir: "/var/tmp/slipway-abcdef", stateIsPrivate: true }],
  [["--no-push"], { TMPDIR: "/var/tmp", KANIKO_DIR: "/kaniko" }, { stateDir: "/kaniko/slipway-abcdef" }],
  [["--no-push", "--kaniko-dir=/k"], { KANIKO_DIR: "/kaniko" }, { stateDir: "/k/slipway-abcdef" }],
  [
    ["--no-push"],
    { FF_KANIKO_RUN_VIA_TINI: "1", FF_KANIKO_COPY_AS_ROOT: "0" },
    { notices: ["No effect: FF_KANIKO_COPY_AS_ROOT, FF_KANIKO_RUN_VIA_TINI; kaniko's feature flags switch nothing here"] },
  ],
  [
    ["--no-push"],
    { KANIKO_CLEANUP: "1", KANIKO_PRE_CLEANUP: "false" },
    { notices: ["No effect: KANIKO_CLEANUP; nothing of the machine's own file system is changed"] },
  ],
];

for (const [args, env, expected] of variables) {
  test(`${args.join(" ")} with ${JSON.stringify(env)}`, () => {
    const request = read(args, env);
    for (const [name, value] of Object.entries(expected)) assert.deepEqual(request[name as keyof Request], value, name);
  });
}

const contexts: readonly (readonly [context: string, files: readonly string[], expected: string, notices?: readonly string[]])[] = [
  ["dir://sub", ["/sub"], "dir:///sub", ["The context is dir:///sub: there is no /work/sub"]],
  ["dir://sub/deep/", ["/sub/deep"], "dir:///sub/deep", ["The context is dir:///sub/deep: there is no /work/sub/deep"]],
  ["dir://sub", ["/sub", "/work/sub"], "dir:///work/sub"],
  ["sub", ["/sub"], "/work/sub"],
];

for (const [given, files, expected, noticed = []] of contexts)
  test(`--context=${given} is ${expected} where there is ${files.join(" and ")}`, () => {
    const { context, notices } = read(["--no-push", `--context=${given}`], {}, Object.fromEntries(files.map((file) => [file, ""])));
    assert.deepEqual({ context, notices }, { context: expected, notices: noticed });
  });

const stateDirs: readonly (readonly [files: readonly string[], expected: string])[] = [
  [["/tmp"], "/tmp/slipway-abcdef"],
  [["/kaniko"], "/kaniko/slipway-abcdef"],
  [["/kaniko", "/tmp"], "/tmp/slipway-abcdef"],
];

for (const [files, expected] of stateDirs)
  test(`with ${files.join(" and ")} the state directory is ${expected}`, () =>
    assert.equal(read(["--no-push"], {}, Object.fromEntries(files.map((file) => [file, ""]))).stateDir, expected));

const gitCredentials: readonly [env: Environment, expected: Request["git"]["credentials"]][] = [
  [{ GIT_TOKEN: "t" }, { username: "t", password: "" }],
  [
    { GIT_TOKEN: "t", GIT_USERNAME: "u", GIT_PASSWORD: "p" },
    { username: "t", password: "" },
  ],
  [
    { GIT_USERNAME: "u", GIT_PASSWORD: "p" },
    { username: "u", password: "p" },
  ],
  [{ GIT_PASSWORD: "p" }, { username: "", password: "p" }],
  [{ GIT_TOKEN: "" }, undefined],
];

for (const [env, expected] of gitCredentials)
  test(`credentials of git contexts with ${JSON.stringify(env)}`, () =>
    assert.deepEqual(read(["--no-push"], env).git.credentials, expected));

test("GIT_PULL_METHOD says how git:// is spoken", () => {
  assert.equal(read(["--no-push"], { GIT_PULL_METHOD: "http" }).git.protocol, "http");
  assert.equal(read(["--no-push"], { GIT_PULL_METHOD: "ssh" }).git.protocol, "https");
});

const refused: readonly [args: string[], env: Environment, message: string | RegExp][] = [
  [
    ["--no-push", "--git=tag=x"],
    {},
    'invalid argument "tag=x" for --git: must be branch=, single-branch=, recurse-submodules=, insecure-skip-tls=, depth=',
  ],
  [["--no-push", "--git=depth=all"], {}, /depth must be a number/],
  [["--no-push", "--git=recurse-submodules=yes"], {}, /recurse-submodules must be true or false/],
  [[], {}, "you must provide --destination, or use --no-push"],
  [["-d", "a"].slice(2), { KANIKO_NO_PUSH: "0" }, "you must provide --destination, or use --no-push"],
  [["--no-push", "--image-name-with-digest-file=x"], {}, "you must provide --destination if setting ImageNameDigestFile"],
  [["--no-push", "--image-name-tag-with-digest-file=x"], {}, "you must provide --destination if setting ImageNameTagDigestFile"],
  [["--no-push"], { KANIKO_NO_PUSH: "maybe" }, 'invalid value "maybe" of the environment variable KANIKO_NO_PUSH: must be true or false'],
  [["-d", "a/B"], {}, /^-d: Cannot read image reference "a\/B": the repository must be lower-case; write "a\/b"$/],
  [["--destination="], {}, '--destination: Cannot read image reference "": it is empty'],
  [["-d", `a@sha256:${"0".repeat(64)}`], {}, /must be a tag, for the digest is known after the build$/],
  [["--no-push", "--tar-path=x", "--compression=zstd"], {}, /^--tar-path cannot be used with --compression=zstd/],
  [["--no-push", "--tar-path=x", "--image-format=oci"], {}, /^--image-format=oci cannot be used with --tar-path/],
  [["--no-push", "--image-format=docker", "--compression=zstd"], {}, /^--image-format=docker cannot be used with --compression=zstd/],
  [["--no-push", "--compression-level=10"], {}, 'invalid argument "10" for --compression-level: must be 1 to 9, or -1 for the usual one'],
  [["--no-push", "--compression-level=-2"], {}, /must be 1 to 9/],
  [["--no-push", "--push-retry=-1"], {}, 'invalid argument "-1" for --push-retry: must be 0 or more'],
  [["--no-push", "--label=x"], {}, 'invalid argument "x" for --label: must be NAME=VALUE'],
  [["--no-push", "--build-arg==x"], {}, 'invalid argument "=x" for --build-arg: must be NAME=VALUE'],
  [["--no-push", "--registry-client-cert=a=c"], {}, 'invalid argument "a=c" for --registry-client-cert: must be HOST=CERTIFICATE,KEY'],
  [["--no-push", "--custom-platform=a/b/c/d"], {}, 'invalid argument "a/b/c/d" for --custom-platform: must be os/architecture[/variant]'],
  [["--no-push", "--allow=security.insecure"], {}, /^invalid argument "security.insecure" for --allow: must be network.host; no sandbox/],
  [["--no-push", "--network=host"], {}, "--network=host needs --allow=network.host"],
  [["--no-push", "--secret=id=none"], {}, /^--secret: secret none: cannot read/],
  [["--no-push", "--no-cache", "--no-cache-filter=a"], {}, "--no-cache and --no-cache-filter cannot be used together"],
  [["--no-push", "--cache=true"], {}, "if using cache with --no-push, specify cache repo with --cache-repo"],
  [
    ["--no-push", "--cache-store=c", "--cache-store-limit=big"],
    {},
    'invalid argument "big" for --cache-store-limit: must be a size, as 10GB',
  ],
  [["--no-push", "--cache", "--cache-repo=a/b:1"], {}, 'invalid argument "a/b:1" for --cache-repo: must be a repository without a tag'],
];

for (const [args, env, message] of refused) {
  test(`${JSON.stringify(args)} with ${JSON.stringify(env)} is refused`, () =>
    assert.throws(() => read(args, env), { name: "UsageError", message }));
}

test("a refused command line leaves no state directory behind", () => {
  const made: string[] = [];
  const makeDirectory = (prefix: string) => {
    made.push(prefix);
    return prefix;
  };
  const surroundings = { ...openTestSurroundings([]), makeDirectory };
  for (const [args, env] of refused) assert.throws(() => readRequest(parseFlags(args).given, { ...surroundings, env }));
  assert.deepEqual(made, []);
});

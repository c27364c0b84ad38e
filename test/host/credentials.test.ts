// The Docker configuration is found where Docker, podman and kaniko look, and its secrets are known before anything is shown.

import assert from "node:assert/strict";
import test from "node:test";
import { findDockerConfig, findSecrets } from "../../src/host/credentials.ts";
import type { Environment } from "../../src/host/surroundings.ts";
import { openTestSurroundings } from "./surroundings.ts";

const rows: readonly [env: Environment, files: string[], file: string | undefined][] = [
  [{}, [], undefined],
  [{ HOME: "/root" }, ["/root/.docker/config.json"], "/root/.docker/config.json"],
  [{ HOME: "/root" }, [], undefined],
  [
    { HOME: "/root", DOCKER_CONFIG: "/kaniko/.docker/" },
    ["/root/.docker/config.json", "/kaniko/.docker/config.json"],
    "/kaniko/.docker/config.json",
  ],
  [{ DOCKER_CONFIG: "conf" }, ["/work/conf/config.json"], "/work/conf/config.json"],
  [{ HOME: "/root", REGISTRY_AUTH_FILE: "/a.json" }, ["/a.json"], "/a.json"],
  [{ HOME: "/root", REGISTRY_AUTH_FILE: "/a.json" }, ["/a.json", "/root/.docker/config.json"], "/root/.docker/config.json"],
  [{ XDG_RUNTIME_DIR: "/run/1" }, ["/run/1/containers/auth.json"], "/run/1/containers/auth.json"],
  [{ REGISTRY_AUTH_FILE: "/a.json", XDG_RUNTIME_DIR: "/run/1" }, ["/run/1/containers/auth.json"], "/run/1/containers/auth.json"],
];

for (const [env, files, file] of rows) {
  test(`with ${JSON.stringify(env)} and ${JSON.stringify(files)} the configuration is ${file}`, () => {
    const surroundings = openTestSurroundings([], { env, files: Object.fromEntries(files.map((path) => [path, "{}"])) });
    assert.equal(findDockerConfig(surroundings).file, file);
  });
}

test("DOCKER_AUTH_CONFIG is handed on as it is, and helpers get the environment", () => {
  const env = { DOCKER_AUTH_CONFIG: "{}", PATH: "/bin", GONE: undefined };
  assert.deepEqual(findDockerConfig(openTestSurroundings([], { env })), {
    json: "{}",
    helperEnvironment: { DOCKER_AUTH_CONFIG: "{}", PATH: "/bin" },
  });
});

test("passwords and tokens of configurations and proxies are secrets", () => {
  const auth = Buffer.from("user:pass:word").toString("base64");
  const json = JSON.stringify({
    auths: { a: { auth }, b: { identitytoken: "idt", registrytoken: "rgt" }, c: { username: "u", password: "pw" }, d: null },
  });
  const surroundings = openTestSurroundings([], {
    env: { HTTPS_PROXY: "http://u:p%40x@proxy:1", http_proxy: "proxy:2" },
    files: { "/c.json": json },
  });
  const fromText = findSecrets({ json }, surroundings).filter(Boolean);
  assert.deepEqual(fromText, [auth, "pass:word", "idt", "rgt", "pw", "p%40x", "p@x"]);
  assert.deepEqual(findSecrets({ file: "/c.json" }, surroundings).filter(Boolean), fromText);
  assert.deepEqual(findSecrets({ json: "no JSON", file: "/absent" }, openTestSurroundings([])).filter(Boolean), []);
});

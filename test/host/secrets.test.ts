// What `--secret` and `--ssh` read, and that no refusal shows a secret.

import assert from "node:assert/strict";
import { test } from "node:test";
import { readAgents, readSecrets } from "../../src/host/secrets.ts";
import { openTestSurroundings } from "./surroundings.ts";

const files = {
  ...{ "/work/s": "of s", "/abs": "of abs", "/work/ID": "of ID", "/work/a,b": "comma", "/run/agent": "a socket" },
  "/work/key": "a key",
  "/big": "x".repeat(100 * 1024 + 1),
};
const env = { V: "of V", NAME: "of NAME", EMPTY: "", SSH_AUTH_SOCK: "/run/agent", BIG: "x".repeat(600_000) };
const given = (flag: string, texts: readonly string[]) => texts.map((text) => ({ text, source: flag }));
const read = (...texts: string[]) => {
  const secrets = readSecrets(given("--secret", texts), openTestSurroundings([], { env, files }));
  return Object.fromEntries([...secrets].map(([id, bytes]) => [id, Buffer.from(bytes).toString()]));
};

const secretRows: readonly (readonly [text: string, expected: Record<string, string>])[] = [
  ["id=x,src=s", { x: "of s" }],
  ["id=x,source=/abs", { x: "of abs" }],
  ["ID=x,SRC=/abs", { x: "of abs" }],
  ["id=x,env=V", { x: "of V" }],
  ["id=x,env=V,src=s", { x: "of V" }],
  ["id=x,type=file,src=s,env=V", { x: "of s" }],
  ["id=x,type=env,src=V", { x: "of V" }],
  ["id=NAME", { NAME: "of NAME" }],
  ["id=NAME,type=env", { NAME: "of NAME" }],
  ["id=ID", { ID: "of ID" }],
  ["id=EMPTY", { EMPTY: "" }],
  ["type=file,id=ID", { ID: "of ID" }],
  ['id=x,"src=a,b"', { x: "comma" }],
];
for (const [text, expected] of secretRows) test(`--secret ${text}`, () => assert.deepEqual(read(text), expected));

const refused: readonly (readonly [texts: readonly string[], message: RegExp])[] = [
  [["id=x,src=nope"], /^--secret: secret x: cannot read "\/work\/nope"$/],
  [["id=x,env=NOPE"], /^--secret: secret x: the environment variable NOPE is not set$/],
  [["id=x,type=env"], /the environment variable x is not set$/],
  [["id=nope"], /secret nope: cannot read "\/work\/nope"$/],
  [["id=x,src=s", "id=x,env=V"], /secret x is given twice$/],
  [["src=s"], /it needs an id$/],
  [["id="], /it needs an id$/],
  [["x"], /must be id=NAME\[,src=PATH\]/],
  [["id=x,mode=4"], /must be id=NAME\[,src=PATH\]/],
  [["id=x,type=text"], /unsupported secret type "text"$/],
  [['id=x,"src=s'], /cannot read|must be id/],
  [["id=x,env=BIG"], /secret x is too big: it has 600000 bytes, 512000 at most$/],
];
for (const [texts, message] of refused)
  test(`--secret ${texts.join(" and ")} is refused`, () => assert.throws(() => read(...texts), { name: "UsageError", message }));

const agents = (texts: readonly string[], variables: Record<string, string> = env) => {
  const read = readAgents(given("--ssh", texts), openTestSurroundings([], { env: variables, files }));
  return Object.fromEntries(
    [...read].map(([id, agent]) => [id, agent.kind === "socket" ? agent.path : agent.files.map(({ path }) => path)]),
  );
};

test("--ssh takes the environment's agent, a socket, or keys", () => {
  assert.deepEqual(agents(["default"]), { default: "/run/agent" });
  assert.deepEqual(agents(["default="]), { default: "/run/agent" });
  assert.deepEqual(agents(["", "git=../run/agent"]), { default: "/run/agent", git: "/run/agent" });
  assert.deepEqual(agents(["default=key"]), { default: ["/work/key"] });
  assert.deepEqual(agents(["a=key,/abs"]), { a: ["/work/key", "/abs"] });
});

const refusedAgents: readonly (readonly [texts: readonly string[], message: RegExp])[] = [
  [["a=key,/run/agent"], /^--ssh a: invalid combination of keys and sockets/],
  [["a=/run/agent,/run/agent"], /one socket, or keys alone$/],
  [["a=key,/nope"], /^--ssh a: cannot read "\/nope"$/],
  [["a=/big"], /^--ssh a: "\/big" is no private key: it has 102401 bytes$/],
  [["a", "a"], /agent a is given twice/],
];
for (const [texts, message] of refusedAgents)
  test(`--ssh ${texts.join(" and ")} is refused`, () => assert.throws(() => agents(texts), { name: "UsageError", message }));

test("--ssh without an agent is refused", () => assert.throws(() => agents(["default"], {}), /make sure SSH_AUTH_SOCK is set$/));

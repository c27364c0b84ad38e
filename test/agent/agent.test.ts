// The agent serves keys of every kind to the programs of OpenSSH, and nothing but signatures.

import assert from "node:assert/strict";
import { execFileSync, spawn } from "node:child_process";
import { createPublicKey, verify } from "node:crypto";
import { mkdirSync, readFileSync, statSync } from "node:fs";
import { connect } from "node:net";
import { join } from "node:path";
import { test } from "node:test";
import { openAgent, readPrivateKey } from "../../src/agent/agent.ts";
import { bytesField, FieldReader, numberField } from "../../src/agent/wire.ts";
import { temporaryDirectory } from "../support/build.ts";

function makeKey(directory: string, ...options: readonly string[]): string {
  const file = join(directory, "key");
  execFileSync("ssh-keygen", ["-q", "-N", "", "-C", "", "-f", file, ...options]);
  return file;
}

/** What a program of OpenSSH writes, with its standard error. */
async function run(socket: string, program: string, args: readonly string[], input = ""): Promise<string> {
  const child = spawn(program, args, { env: { ...process.env, SSH_AUTH_SOCK: socket }, stdio: ["pipe", "pipe", "pipe"] });
  child.stdin.end(input);
  const parts: string[] = [];
  for (const stream of [child.stdout, child.stderr]) stream.on("data", (chunk) => parts.push(String(chunk)));
  const code = await new Promise((resolve) => child.on("close", resolve));
  assert.equal(code, 0, parts.join(""));
  return parts.join("");
}

async function ask(socket: string, message: Buffer): Promise<Buffer> {
  const client = connect(socket);
  client.write(bytesField(message));
  const [answer] = await new Promise<Buffer[]>((resolve) => client.once("data", (data) => resolve([data])));
  client.destroy();
  return answer ?? Buffer.alloc(0);
}

const kinds: readonly (readonly [type: string, bits: string, formats: readonly string[]])[] = [
  ["ed25519", "256", ["RFC4716"]],
  ["rsa", "2048", ["RFC4716", "PEM", "PKCS8"]],
  ["rsa", "3072", ["RFC4716"]],
  ["ecdsa", "256", ["RFC4716", "PEM", "PKCS8"]],
  ["ecdsa", "384", ["RFC4716", "PEM"]],
  ["ecdsa", "521", ["RFC4716", "PEM"]],
];
for (const [type, bits, formats] of kinds)
  for (const format of formats)
    test(`a key of ${bits} bits ${type} as ${format} is listed and signs`, async (t) => {
      const directory = await temporaryDirectory(t);
      const file = makeKey(directory, "-t", type, "-b", bits, "-m", format);
      const key = readPrivateKey(readFileSync(file));
      const agent = await openAgent([key], directory, "agent");
      t.after(() => agent.close());
      assert.equal(statSync(agent.path).mode & 0o777, 0o600);
      const pub = readFileSync(`${file}.pub`, "utf8");
      assert.equal((await run(agent.path, "ssh-add", ["-L"])).trim(), pub.trim());
      assert.match(await run(agent.path, "ssh-add", ["-l"]), new RegExp(`^${bits} SHA256:\\S+ .*\\(${type.toUpperCase()}\\)\\n$`));
      await run(agent.path, "ssh-add", ["-T", `${file}.pub`]);
      execFileSync("rm", [file]);
      const signature = await run(agent.path, "ssh-keygen", ["-q", "-Y", "sign", "-n", "test", "-f", `${file}.pub`], "message");
      execFileSync("sh", [
        "-c",
        `printf %s "$0" >"$1/signature"; printf 'who %s' "$(cat "$1/key.pub")" >"$1/signers"`,
        signature,
        directory,
      ]);
      const verifying = ["-Y", "verify", "-I", "who", "-n", "test", "-f", join(directory, "signers"), "-s", join(directory, "signature")];
      assert.match(await run("", "ssh-keygen", verifying, "message"), /Good "test" signature for who/);
    });

test("the flags of a request choose the hash of an RSA signature", async (t) => {
  const directory = await temporaryDirectory(t);
  const key = readPrivateKey(readFileSync(makeKey(directory, "-t", "rsa", "-b", "2048", "-m", "PEM")));
  const agent = await openAgent([key], directory, "agent");
  t.after(() => agent.close());
  const publicKey = createPublicKey(readFileSync(join(directory, "key")));
  for (const [flags, name, hash] of [
    [0, "ssh-rsa", "sha1"],
    [2, "rsa-sha2-256", "sha256"],
    [4, "rsa-sha2-512", "sha512"],
  ] as const) {
    const data = Buffer.from(`data ${name}`);
    const answer = await ask(agent.path, Buffer.concat([Buffer.from([13]), bytesField(key.blob), bytesField(data), numberField(flags)]));
    const signature = new FieldReader(new FieldReader(answer.subarray(5)).bytes());
    assert.equal(signature.text(), name);
    assert.ok(verify(hash, data, publicKey, signature.bytes()));
  }
});

test("whatever else is asked for is refused, and what is no message ends the connection", async (t) => {
  const directory = await temporaryDirectory(t);
  const file = makeKey(directory, "-t", "ed25519");
  const key = readPrivateKey(readFileSync(file));
  const agent = await openAgent([key], directory, "agent");
  t.after(() => agent.close());
  const refused = "0000000105";
  const other = Buffer.concat([Buffer.from([13]), bytesField("other"), bytesField("data"), numberField(0)]);
  for (const message of [Buffer.from([19]), Buffer.from([27]), Buffer.from([13]), Buffer.from([13, 0xff, 0xff, 0xff, 0xff]), other])
    assert.equal((await ask(agent.path, message)).toString("hex"), refused, message.toString("hex"));
  await assert.rejects(run(agent.path, "ssh-add", [file]), /agent refused operation/);
  await assert.rejects(run(agent.path, "ssh-add", ["-D"]), /agent refused operation|Failed/);
  const client = connect(agent.path);
  client.write(Buffer.alloc(8));
  await new Promise((resolve) => client.on("close", resolve));
});

test("a long path of a directory is no trouble", async (t) => {
  const directory = join(await temporaryDirectory(t), "d".repeat(120));
  mkdirSync(directory);
  const agent = await openAgent([], directory, "agent");
  t.after(() => agent.close());
  const listed = run(agent.path, "ssh-add", ["-l"]);
  await assert.rejects(listed, /The agent has no identities/);
});

const refused: readonly (readonly [what: string, make: readonly string[] | string, reason: RegExp])[] = [
  ["an encrypted key", ["-t", "ed25519", "-N", "pass"], /^it is encrypted$/],
  ["an encrypted key as PEM", ["-t", "rsa", "-m", "PEM", "-N", "passphrase"], /^it is encrypted$/],
  ["an encrypted key as PKCS8", ["-t", "rsa", "-m", "PKCS8", "-N", "passphrase"], /^it is encrypted$/],
  ["a text", "hello", /^it is no private key$/],
  ["a public key", "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAI", /^it is no private key$/],
  ["another magic", "-----BEGIN OPENSSH PRIVATE KEY-----\naGVsbG8=\n-----END OPENSSH PRIVATE KEY-----", /^it is damaged$/],
];
for (const [what, make, message] of refused)
  test(`${what} is refused`, async (t) => {
    const text = typeof make === "string" ? Buffer.from(make) : readFileSync(makeKey(await temporaryDirectory(t), ...make));
    assert.throws(() => readPrivateKey(text), { message });
  });

test("a damaged key is refused without a word of it", async (t) => {
  const text = readFileSync(makeKey(await temporaryDirectory(t), "-t", "rsa", "-b", "2048"), "utf8");
  const body = Buffer.from(text.replaceAll(/-----.*-----|\s/g, ""), "base64");
  for (let cut = 16; cut < body.length; cut += 97) {
    const short = body.subarray(0, cut).toString("base64");
    assert.throws(
      () => readPrivateKey(Buffer.from(`-----BEGIN OPENSSH PRIVATE KEY-----\n${short}\n-----END OPENSSH PRIVATE KEY-----`)),
      (error: Error) => /^it is damaged$/.test(error.message),
    );
  }
});

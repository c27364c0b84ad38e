// Starts Debian's docker-registry on a free port of this machine, with a password file or TLS where a test wants them.

import { execFile, spawn } from "node:child_process";
import { existsSync } from "node:fs";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { TestContext } from "node:test";
import { promisify } from "node:util";

const run = promisify(execFile);
const program = "/usr/bin/docker-registry";

export interface DebianRegistry {
  /** `127.0.0.1:PORT`. */
  readonly host: string;
  /** The certificate that it shows, a PEM file; "" without TLS. */
  readonly certificate: string;
  /** What it has written so far: one line for each request. */
  log(): string;
  stop(): Promise<void>;
}

export interface DebianRegistryOptions {
  /** The line of a password file, as `htpasswd -nbB` writes it. */
  readonly htpasswd?: string;
  readonly tls?: boolean;
}

/** bcrypt of `secret`, cost 5. */
export const builderLine = "builder:$2y$05$FoFk/hSqlUSmMC61SjBTCu.BHiNwWCmLAFMk6JJ.fteIQG06Eofhm";

/** undefined after the test was marked as skipped; where CI is set a missing program is a failure. */
export async function startDebianRegistry(test: TestContext, options: DebianRegistryOptions = {}): Promise<DebianRegistry | undefined> {
  if (!existsSync(program)) {
    if (process.env.CI) throw new Error(`${program} is missing: apt-get install docker-registry`);
    test.skip(`${program} is not installed`);
    return undefined;
  }
  const directory = await mkdtemp(join(tmpdir(), "slipway-registry-"));
  const host = `127.0.0.1:${await findPort()}`;
  const certificate = options.tls ? await makeCertificate(directory) : "";
  await writeFile(join(directory, "config.yml"), await describe(directory, host, certificate, options));
  const child = spawn(program, ["serve", join(directory, "config.yml")], { stdio: ["ignore", "pipe", "pipe"], env: {} });
  let log = "";
  for (const stream of [child.stdout, child.stderr]) stream.setEncoding("utf8").on("data", (text: string) => (log += text));
  const ended = new Promise<void>((resolve) => child.on("close", () => resolve()));
  const stop = async () => {
    child.kill("SIGKILL");
    await ended;
    await rm(directory, { recursive: true, force: true });
  };
  test.after(stop);
  for (let turn = 0; !/listening on/.test(log); turn++) {
    if (turn > 200 || child.exitCode !== null) throw new Error(`Cannot start ${program}: ${log}`);
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  return { host, certificate, log: () => log, stop };
}

async function describe(directory: string, host: string, certificate: string, { htpasswd, tls }: DebianRegistryOptions): Promise<string> {
  if (htpasswd !== undefined) await writeFile(join(directory, "htpasswd"), `${htpasswd}\n`);
  return [
    "version: 0.1",
    "log: { level: info, accesslog: { disabled: false } }",
    `storage: { filesystem: { rootdirectory: ${join(directory, "data")} }, delete: { enabled: true } }`,
    "http:",
    `  addr: ${host}`,
    ...(tls ? [`  tls: { certificate: ${certificate}, key: ${join(directory, "key.pem")} }`] : []),
    ...(htpasswd === undefined ? [] : ["auth:", `  htpasswd: { realm: test, path: ${join(directory, "htpasswd")} }`]),
    "",
  ].join("\n");
}

/** Self-signed, for 127.0.0.1 and localhost, a day long; gives the certificate's path, with `key.pem` beside it. */
export async function makeCertificate(directory: string): Promise<string> {
  const certificate = join(directory, "certificate.pem");
  await run("openssl", [
    ...["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "1"],
    ...["-subj", "/CN=slipway test", "-addext", "subjectAltName=IP:127.0.0.1,DNS:localhost,DNS:registry.test"],
    ...["-keyout", join(directory, "key.pem"), "-out", certificate],
  ]);
  return certificate;
}

function findPort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer();
    server.on("error", reject);
    server.listen(0, "127.0.0.1", () => {
      const address = server.address();
      const port = address !== null && typeof address === "object" ? address.port : 0;
      server.close(() => resolve(port));
    });
  });
}

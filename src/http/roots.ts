// The certificate authorities of the machine, and TLS contexts built from them once each.

import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { createSecureContext, rootCertificates, type SecureContext } from "node:tls";
import type { HostTls, Roots } from "./http.ts";

/** Where Linux distributions keep their bundle, in the order in which Go looks. */
const usualBundles = [
  "/etc/ssl/certs/ca-certificates.crt",
  "/etc/pki/tls/certs/ca-bundle.crt",
  "/etc/ssl/ca-bundle.pem",
  "/etc/pki/tls/cacert.pem",
  "/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem",
  "/etc/ssl/cert.pem",
];

/**
 * Reads the bundle and the directories, as Go does: `files` replace the usual bundle, `directories` come on top. Where nothing is
 * found, Node's own list.
 */
async function readRoots(roots: Roots): Promise<readonly (string | Buffer)[]> {
  const bundles = roots.files.length > 0 ? Promise.all(roots.files.map(readOptional)) : readUsualBundle();
  const directories = Promise.all(roots.directories.map(readDirectory));
  const found = [...(await bundles), ...(await directories)].flat();
  return found.length > 0 ? found : rootCertificates;
}

async function readUsualBundle(): Promise<Buffer[][]> {
  for (const path of usualBundles) {
    const bundle = await readOptional(path);
    if (bundle.length > 0) return [bundle];
  }
  return [];
}

/** By the roots that they are made from: parsing those costs up to 25 ms, and several clients may share them. */
const contexts = new WeakMap<Roots, Map<string, Promise<SecureContext>>>();

/** The context for one host: the roots, its own authorities on top, and the certificate to show it. */
export function openContext(roots: Roots, tls: HostTls): Promise<SecureContext> {
  const known = contexts.get(roots) ?? new Map<string, Promise<SecureContext>>();
  contexts.set(roots, known);
  const key = JSON.stringify(tls);
  const context = known.get(key) ?? makeContext(roots, tls);
  known.set(key, context);
  context.catch(() => known.delete(key));
  return context;
}

async function makeContext(roots: Roots, tls: HostTls): Promise<SecureContext> {
  const own = await Promise.all((tls.authorities ?? []).map((path) => readPem(path, "registry certificate")));
  const client = tls.client && {
    cert: await readPem(tls.client.certificate, "client certificate"),
    key: await readPem(tls.client.key, "client key"),
  };
  const ca = tls.skipVerify ? own : [...(await readRoots(roots)), ...own];
  return createSecureContext({ ...(ca.length > 0 ? { ca } : {}), ...client });
}

async function readPem(path: string, what: string): Promise<Buffer> {
  const bytes = await readFile(path).catch((cause: unknown) => {
    throw new Error(`Cannot read ${what} "${path}": ${(cause as Error).message}`, { cause });
  });
  if (!bytes.includes("-----BEGIN ")) throw new SyntaxError(`Cannot read ${what} "${path}": it is not in PEM form`);
  return bytes;
}

async function readOptional(path: string): Promise<Buffer[]> {
  return readFile(path).then(
    (bytes) => [bytes],
    () => [],
  );
}

async function readDirectory(path: string): Promise<Buffer[]> {
  const names = await readdir(path).catch(() => []);
  const files = await Promise.all(names.sort().map((name) => readOptional(join(path, name))));
  return files.flat().filter((bytes) => bytes.includes("-----BEGIN CERTIFICATE-----"));
}

// What flags and environment say about registries.

import { resolve } from "node:path";
import type { RegistryOptions } from "../registry/registry.ts";
import { findDockerConfig } from "./credentials.ts";
import type { Environment, Surroundings } from "./surroundings.ts";
import { UsageError } from "./usage.ts";
import { parseMultiMap, parsePair } from "./value.ts";
import type { Value, Values } from "./values.ts";
import { version } from "./version.ts";

/** Paths become absolute; registries stay as they were written. */
export function readRegistryOptions(values: Values, surroundings: Surroundings): RegistryOptions {
  const { env, directory } = surroundings;
  const path = (file: string) => resolve(directory, file);
  const texts = (name: string) =>
    values
      .list(name)
      .map(({ text }) => text)
      .filter((text) => text !== "");
  const variable = (name: string): Value[] => (env[name] ? [{ text: env[name], source: name }] : []);
  const pairs = (name: string) => values.list(name).map(({ text, source }) => ({ pair: parsePair(text, source), text, source }));
  const clients = pairs("registry-client-cert").map(({ pair: [host, files], text, source }) => {
    const [certificate, key, ...more] = files.split(",");
    if (!certificate || !key || more.length > 0)
      throw new UsageError(`invalid argument ${JSON.stringify(text)} for ${source}: must be HOST=CERTIFICATE,KEY`);
    return [host, { certificate: path(certificate), key: path(key) }] as const;
  });
  const client = env.UPSTREAM_CLIENT_TYPE ? `,${env.UPSTREAM_CLIENT_TYPE}` : "";
  return {
    insecure: values.isSet("insecure"),
    insecurePull: values.isSet("insecure-pull"),
    insecureRegistries: texts("insecure-registry"),
    skipTlsVerify: values.isSet("skip-tls-verify"),
    skipTlsVerifyPull: values.isSet("skip-tls-verify-pull"),
    skipTlsVerifyRegistries: texts("skip-tls-verify-registry"),
    certificates: Object.fromEntries(pairs("registry-certificate").map(({ pair: [host, file] }) => [host, path(file)])),
    clientCertificates: Object.fromEntries(clients),
    mirrors: [...texts("registry-mirror"), ...variable("KANIKO_REGISTRY_MIRROR").map(({ text }) => text)],
    map: Object.fromEntries(parseMultiMap([...values.list("registry-map"), ...variable("KANIKO_REGISTRY_MAP")])),
    skipDefaultRegistryFallback: values.isSet("skip-default-registry-fallback"),
    downloadRetries: values.count("image-download-retry"),
    pushRetries: values.count("push-retry"),
    ignoreImmutableTags: values.isSet("push-ignore-immutable-tag-errors"),
    dockerConfig: findDockerConfig(surroundings),
    proxies: readProxies(env),
    roots: {
      files: env.SSL_CERT_FILE ? [path(env.SSL_CERT_FILE)] : [],
      directories: (env.SSL_CERT_DIR ?? "").split(":").filter(Boolean).map(path),
    },
    userAgent: `slipway/${version}${client}`,
  };
}

function readProxies(env: Environment): RegistryOptions["proxies"] {
  const http = env.HTTP_PROXY || env.http_proxy;
  const https = env.HTTPS_PROXY || env.https_proxy;
  const noProxy = env.NO_PROXY || env.no_proxy;
  return { ...(http ? { http } : {}), ...(https ? { https } : {}), ...(noProxy ? { noProxy } : {}) };
}

import {
  isDigest
} from "./shared-7.mjs";

// src/image/reference.ts
var dockerHub = "index.docker.io";
var component = /^[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*$/;
var tagPattern = /^[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}$/;
var hostPattern = /^(?:\[[0-9a-fA-F:]+\]|[A-Za-z0-9](?:[A-Za-z0-9.-]*[A-Za-z0-9])?)(?::\d{1,5})?$/;
function normalizeRegistry(host) {
  const lower = host.toLowerCase();
  if (lower === "docker.io" || lower === "registry-1.docker.io" || lower === "registry.hub.docker.com") return dockerHub;
  return /[.:[]/.test(lower) || lower === "localhost" ? lower : host;
}
function parseReference(text) {
  const fail = (why) => new SyntaxError(`Cannot read image reference "${text}": ${why}`);
  if (text === "") throw fail("it is empty");
  if (/^[a-z]+:\/\//i.test(text)) throw fail("it must not start with a scheme; write registry/repository:tag");
  if (/\s/.test(text)) throw fail("it holds white space");
  let rest = text;
  let digest;
  const at = rest.indexOf("@");
  if (at >= 0) {
    const given = rest.slice(at + 1);
    if (!isDigest(given)) throw fail(`"${given}" is no digest; it must be sha256: and 64 hex digits`);
    digest = given;
    rest = rest.slice(0, at);
  }
  const slash = rest.indexOf("/");
  const first = slash < 0 ? "" : rest.slice(0, slash);
  const namesHost = slash >= 0 && (/[.:[]/.test(first) || first === "localhost" || first !== first.toLowerCase());
  let registry = dockerHub;
  if (namesHost) {
    if (!hostPattern.test(first)) throw fail(`"${first}" is no registry host`);
    registry = normalizeRegistry(first);
    rest = rest.slice(slash + 1);
  }
  let tag;
  const colon = rest.lastIndexOf(":");
  if (colon > rest.lastIndexOf("/")) {
    tag = rest.slice(colon + 1);
    if (!tagPattern.test(tag)) throw fail(`"${tag}" is no tag; letters, digits, "_", "." and "-" are allowed, 128 at most`);
    rest = rest.slice(0, colon);
  }
  if (rest === "") throw fail("the repository is missing");
  if (/^[0-9a-f]{64}$/.test(rest) && !namesHost) throw fail("a bare 64-digit identifier cannot name a repository");
  for (const part of rest.split("/")) {
    if (component.test(part)) continue;
    if (component.test(part.toLowerCase())) throw fail(`the repository must be lower-case; write "${rest.toLowerCase()}"`);
    throw fail(`"${part}" is no part of a repository name`);
  }
  if (rest.length > 255) throw fail("the repository is longer than 255 characters");
  const repository = registry === dockerHub && !rest.includes("/") ? `library/${rest}` : rest;
  return { registry, repository, ...tag === void 0 ? {} : { tag }, ...digest === void 0 ? {} : { digest } };
}
function withDefaultTag(reference) {
  return reference.tag === void 0 && reference.digest === void 0 ? { ...reference, tag: "latest" } : reference;
}
function repositoryName(reference) {
  return `${reference.registry}/${reference.repository}`;
}
function formatReference(reference) {
  const tag = reference.tag === void 0 ? "" : `:${reference.tag}`;
  const digest = reference.digest === void 0 ? "" : `@${reference.digest}`;
  return `${repositoryName(reference)}${tag}${digest}`;
}

// src/image/platform.ts
var architectures = {
  x86_64: ["amd64"],
  "x86-64": ["amd64"],
  x64: ["amd64"],
  i386: ["386"],
  i686: ["386"],
  ia32: ["386"],
  aarch64: ["arm64"],
  armhf: ["arm", "v7"],
  armel: ["arm", "v6"]
};
function normalizePlatform(platform) {
  const os = platform.os.toLowerCase() === "macos" ? "darwin" : platform.os.toLowerCase();
  const given = platform.architecture.toLowerCase();
  const [architecture, implied] = architectures[given] ?? [given];
  let variant = platform.variant?.toLowerCase() || implied;
  if (architecture === "arm64" && (variant === "8" || variant === "v8")) variant = void 0;
  if (architecture === "amd64" && variant === "v1") variant = void 0;
  if (architecture === "arm") variant = variant === void 0 ? "v7" : /^\d/.test(variant) ? `v${variant}` : variant;
  const { variant: _, ...rest } = platform;
  return { ...rest, os, architecture, ...variant ? { variant } : {} };
}
function parsePlatform(text) {
  const parts = text.trim().split("/");
  const wrong = parts.length > 3 || parts.some((part) => !/^[A-Za-z0-9_.()-]+$/.test(part));
  if (wrong) throw new SyntaxError(`Cannot read platform "${text}": it must be os/architecture[/variant], for example linux/arm64`);
  const [first = "", second, variant] = parts;
  if (second !== void 0) return normalizePlatform({ os: first, architecture: second, ...variant ? { variant } : {} });
  return /^(linux|windows|darwin|freebsd|macos)$/i.test(first) ? normalizePlatform({ os: first, architecture: process.arch }) : normalizePlatform({ os: "linux", architecture: first });
}
function formatPlatform(platform) {
  return [platform.os, platform.architecture, platform.variant].filter(Boolean).join("/");
}
function hostPlatform() {
  return normalizePlatform({ os: "linux", architecture: process.arch });
}
function platformDistance(wanted, offered) {
  const want = normalizePlatform(wanted);
  const offer = normalizePlatform(offered);
  if (want.os !== offer.os || want.architecture !== offer.architecture) return void 0;
  if (want.variant === offer.variant) return 0;
  const level = (variant) => Number(/^v(\d+)/.exec(variant ?? "")?.[1] ?? (want.architecture === "amd64" ? 1 : 8));
  const distance = level(want.variant) - level(offer.variant);
  return distance >= 0 ? distance + 1 : void 0;
}

// src/image/annotation.ts
var annotationLevels = ["manifest", "manifest-descriptor", "index", "index-descriptor"];
function annotationsOfImage(all, platform) {
  const name = formatPlatform(platform);
  const general = all.filter((one) => one.platform === void 0);
  const own = all.filter((one) => one.platform !== void 0 && formatPlatform(one.platform) === name);
  return {
    document: collect([...general, ...own], "manifest"),
    descriptor: collect([...general, ...own], "manifest-descriptor")
  };
}
function annotationsOfIndex(all) {
  return { document: collect(all, "index"), descriptor: collect(all, "index-descriptor") };
}
function collect(all, level) {
  return Object.fromEntries(all.filter((one) => one.level === level).map(({ key, value }) => [key, value]));
}
function needsOciTypes(all) {
  return all.some(({ level }) => level !== "manifest");
}

export {
  dockerHub,
  normalizeRegistry,
  parseReference,
  withDefaultTag,
  repositoryName,
  formatReference,
  parsePlatform,
  formatPlatform,
  hostPlatform,
  platformDistance,
  annotationLevels,
  annotationsOfImage,
  annotationsOfIndex,
  needsOciTypes
};

// The one table of flags of `slipway build`: kaniko's, deprecated spellings included, and our own. Help, documentation and parsing read it.

import { levels, logFormats } from "../report/line.ts";

/** How a flag's value is written; `multi`, `keyValue` and `keyMultiValue` may be repeated, the others' last value counts. */
export type FlagType = "boolean" | "string" | "integer" | "duration" | "multi" | "keyValue" | "keyMultiValue";

/** The headings of the help, in its order. */
export const groups = ["Inputs", "Registries and TLS", "Outputs and push", "Build behaviour", "Cache", "Log", "Slipway's own"] as const;

export interface Flag {
  readonly name: string;
  readonly short?: string;
  /** Deprecated spellings. */
  readonly aliases?: readonly string[];
  readonly type: FlagType;
  /** What stands for the value in the help; booleans have none. */
  readonly value?: string;
  readonly choices?: readonly string[];
  /** As it would be written; absent: "" for texts, nothing for what may be repeated. */
  readonly default?: string;
  /** The same as `default`, said so that a reader understands it. */
  readonly defaultText?: string;
  readonly group: (typeof groups)[number];
  readonly help: string;
  /**
   * "accepted" flags mean nothing here and cause a notice; "refused" and "not yet" flags are errors. All are silent about a value that is the
   * default.
   */
  readonly status: "works" | "accepted" | "refused" | "not yet";
  /** Of an accepted flag: why it has no effect; of a refused one: what to do instead. */
  readonly reason?: string;
  /** The only commands that take it. */
  readonly commands?: readonly ("check" | "explain" | "prune" | "doctor")[];
  /** Left out of the help. */
  readonly hidden?: boolean;
}

type Row = Omit<Flag, "group" | "status"> & { readonly status?: Flag["status"] };

const inputs: readonly Row[] = [
  {
    name: "dockerfile",
    short: "f",
    type: "string",
    value: "PATH",
    default: "Dockerfile",
    help: "Dockerfile, looked up from the working directory, then from the context; or its https:// URL",
  },
  {
    name: "context",
    short: "c",
    type: "string",
    value: "PATH|URL",
    default: "/workspace/",
    help: "what to build from: a directory, tar://FILE or tar://stdin, a git repository, an https:// URL of an archive or a Dockerfile",
  },
  { name: "context-sub-path", type: "string", value: "PATH", help: "directory below the context to build from instead" },
  { name: "bucket", short: "b", type: "string", value: "NAME", help: "bucket that holds the context", status: "not yet", hidden: true },
  {
    name: "build-arg",
    type: "multi",
    value: "NAME[=VALUE]",
    help: "value of an ARG; a name alone takes the value of the environment variable; may be repeated",
  },
  {
    name: "target",
    type: "multi",
    value: "STAGE",
    help: "stage to build instead of the last; of several the first is the image, the others are only built",
  },
  {
    name: "custom-platform",
    aliases: ["customPlatform"],
    type: "string",
    value: "OS/ARCH[/VARIANT]",
    defaultText: "this machine's",
    help: "platform to build for; several, separated by commas, give an index",
  },
  { name: "platform", type: "multi", value: "OS/ARCH[/VARIANT]", help: "the same as --custom-platform; may be repeated" },
  {
    name: "build-context",
    type: "keyValue",
    value: "NAME=DIR|IMAGE|URL",
    help: "directory, docker-image://IMAGE, oci-layout://DIR[:TAG][@DIGEST], git repository or https:// URL that FROM and COPY --from name so; may be repeated",
  },
  { name: "label", type: "keyValue", value: "NAME=VALUE", help: "label of the image; may be repeated" },
  {
    name: "annotation",
    type: "keyValue",
    value: "[LEVEL[,...]:]NAME=VALUE",
    help: "annotation of the image's manifest, or at another LEVEL: manifest, manifest-descriptor (either with [PLATFORM]), index, index-descriptor; may be repeated",
  },
  {
    name: "git",
    type: "multi",
    value: "OPTION=VALUE",
    help: "of a context that is a git repository: branch=, recurse-submodules=, insecure-skip-tls=; env GIT_TOKEN, or GIT_USERNAME and GIT_PASSWORD",
  },
  {
    name: "secret",
    type: "multi",
    value: "id=NAME[,src=PATH][,env=NAME]",
    help: "secret for RUN --mount=type=secret: a file or an environment variable, by default one with its name; may be repeated",
  },
  {
    name: "ssh",
    type: "multi",
    value: "ID[=SOCKET|KEY[,...]]",
    help: "SSH agent for RUN --mount=type=ssh, or the files of unencrypted private keys; ID is default where a mount says nothing else, SOCKET that of SSH_AUTH_SOCK; may be repeated",
  },
  {
    name: "kaniko-dir",
    type: "string",
    value: "PATH",
    defaultText: "the directory for temporary files",
    help: "directory to make a private state directory in, where --state-dir is not given; env KANIKO_DIR",
  },
];

const registries: readonly Row[] = [
  { name: "insecure", type: "boolean", help: "allow plain HTTP for pushes" },
  { name: "insecure-pull", type: "boolean", help: "allow plain HTTP for pulls" },
  { name: "insecure-registry", type: "multi", value: "HOST", help: "registry with which plain HTTP is allowed; may be repeated" },
  { name: "skip-tls-verify", type: "boolean", help: "accept any certificate of any registry" },
  { name: "skip-tls-verify-pull", type: "boolean", help: "accept any certificate when pulling" },
  { name: "skip-tls-verify-registry", type: "multi", value: "HOST", help: "registry of which to accept any certificate; may be repeated" },
  {
    name: "registry-certificate",
    type: "keyValue",
    value: "HOST=FILE",
    help: "PEM file of authorities to trust for a registry; may be repeated",
  },
  {
    name: "registry-client-cert",
    type: "keyValue",
    value: "HOST=CERT,KEY",
    help: "PEM files of the client certificate and key to show a registry; may be repeated",
  },
  {
    name: "registry-mirror",
    type: "multi",
    value: "HOST[/PREFIX]",
    help: "mirror to pull Docker Hub's images from; may be repeated; env KANIKO_REGISTRY_MIRROR adds one",
  },
  {
    name: "registry-map",
    type: "keyMultiValue",
    value: "HOST=MIRROR[/PREFIX][;...]",
    help: "mirrors to pull a registry's images from, in this order; may be repeated; env KANIKO_REGISTRY_MAP adds to it",
  },
  { name: "skip-default-registry-fallback", type: "boolean", help: "never ask a registry itself that has mirrors" },
  {
    name: "credential-helpers",
    type: "multi",
    value: "NAME",
    help: "built-in credential helpers to use",
    status: "refused",
    reason:
      'no helper is built in, so it can only be ""; name docker-credential-* programs in config.json, under credHelpers or credsStore',
  },
  { name: "image-download-retry", type: "integer", value: "N", default: "0", help: "further tries of a pull" },
  {
    name: "image-fs-extract-retry",
    type: "integer",
    value: "N",
    default: "0",
    help: "further tries of unpacking a base",
    status: "accepted",
    reason: "what is unpacked has been verified, and pulls are repeated by --image-download-retry",
  },
  { name: "azure-container-registry-config", type: "string", value: "PATH", help: "Azure's credentials", status: "not yet", hidden: true },
];

const outputs: readonly Row[] = [
  {
    name: "destination",
    short: "d",
    type: "multi",
    value: "IMAGE",
    help: "registry/repository[:tag] to push to, and the name in --tar-path; may be repeated",
  },
  {
    name: "no-push",
    type: "boolean",
    help: "build, write the files that were asked for, but push nothing; env KANIKO_NO_PUSH decides over it",
  },
  { name: "no-push-cache", type: "boolean", help: "write nothing to the cache" },
  {
    name: "skip-push-permission-check",
    type: "boolean",
    help: "do not ask the registries before the build whether they will take the image",
  },
  { name: "push-retry", type: "integer", value: "N", default: "0", help: "further tries of a push" },
  { name: "push-ignore-immutable-tag-errors", type: "boolean", help: "take the answer that a tag must not be moved for success" },
  { name: "digest-file", type: "string", value: "FILE", help: "where to write the image's digest: a file or an https:// URL" },
  {
    name: "image-name-with-digest-file",
    type: "string",
    value: "FILE",
    help: "where to write registry/repository@digest, a line per destination: a file or an https:// URL",
  },
  {
    name: "image-name-tag-with-digest-file",
    type: "string",
    value: "FILE",
    help: "where to write registry/repository:tag@digest, a line per destination: a file or an https:// URL",
  },
  {
    name: "output",
    type: "multi",
    value: "type=TYPE,KEY=VALUE",
    help: "what to write, as docker buildx build has it: type=image, registry, oci, docker, local or tar with name, push, dest and others; may be repeated",
  },
  { name: "tar-path", aliases: ["tarPath"], type: "string", value: "FILE", help: "write a tar that docker load reads" },
  { name: "oci-layout-path", type: "string", value: "DIR", help: "write an OCI image layout" },
  {
    name: "compression",
    type: "string",
    value: "NAME",
    choices: ["gzip", "zstd"],
    default: "gzip",
    help: "how to compress layers: gzip or zstd",
  },
  {
    name: "compression-level",
    type: "integer",
    value: "N",
    default: "-1",
    defaultText: "the compressor's usual",
    help: "how much to compress",
  },
  {
    name: "image-format",
    type: "string",
    value: "NAME",
    choices: ["docker", "oci"],
    defaultText: "the base's, oci from scratch",
    help: "media types of the image: docker or oci",
  },
  { name: "reproducible", type: "boolean", help: "set the times in config and new layers to fixed ones" },
  {
    name: "rewrite-timestamp",
    type: "boolean",
    help: "lower the times of files in new layers to the build argument SOURCE_DATE_EPOCH",
  },
  { name: "dryrun", type: "boolean", help: "print the plan of the build and stop" },
];

const machine = "nothing of the machine's own file system is changed";

const behaviour: readonly Row[] = [
  {
    name: "network",
    type: "string",
    value: "MODE",
    choices: ["default", "none", "host"],
    default: "default",
    help: "network of the RUNs that do not say themselves: default, none, host",
  },
  { name: "allow", type: "multi", value: "RIGHT", help: "what RUN may ask for beyond the usual: network.host; may be repeated" },
  {
    name: "snapshot-mode",
    aliases: ["snapshotMode"],
    type: "string",
    value: "MODE",
    default: "full",
    choices: ["full", "redo", "time"],
    help: "how changes of RUN are found: full, redo or time",
    status: "accepted",
    reason: "every change of a RUN is found, at the cost of the fastest mode",
  },
  { name: "single-snapshot", type: "boolean", help: "one layer for a whole stage", status: "not yet" },
  {
    name: "use-new-run",
    type: "boolean",
    help: "find changes by times",
    status: "accepted",
    reason: "every change of a RUN is found without it",
  },
  {
    name: "skip-unused-stages",
    type: "boolean",
    help: "build only the stages that the target needs",
    status: "accepted",
    reason: "only the stages that the target needs are built",
  },
  {
    name: "ignore-var-run",
    aliases: ["whitelist-var-run"],
    type: "boolean",
    default: "true",
    help: "leave /var/run out of layers",
    status: "accepted",
    reason: "layers hold what the build wrote to /var/run and nothing else of it",
  },
  {
    name: "ignore-path",
    type: "multi",
    value: "PATH",
    help: "path that new layers leave out, with all below it; names may have * ? and [...]; may be repeated",
  },
  {
    name: "force-build-metadata",
    type: "boolean",
    help: "make layers for instructions that change metadata alone",
    status: "accepted",
    reason: "instructions that change metadata alone have their line in the image's history without it",
  },
  { name: "force", type: "boolean", help: "build outside of a container", status: "accepted", reason: machine },
  { name: "cleanup", type: "boolean", help: "empty the file system after the build", status: "accepted", reason: machine },
  { name: "pre-cleanup", type: "boolean", help: "empty the file system before the build", status: "accepted", reason: machine },
  { name: "preserve-context", type: "boolean", help: "restore the file system after the build", status: "accepted", reason: machine },
  {
    name: "materialize",
    type: "boolean",
    help: "leave the image's files on disk",
    status: "refused",
    reason: "the machine's own file system is not written to; --output type=local,dest=DIR writes the image's files to a directory",
  },
];

const cache: readonly Row[] = [
  { name: "no-cache", type: "boolean", help: "use nothing that earlier builds left, and empty the caches that RUN mounts" },
  { name: "no-cache-filter", type: "multi", value: "STAGE[,...]", help: "the same for these stages and their RUNs alone; may be repeated" },
  {
    name: "cache",
    type: "boolean",
    help: "take layers that earlier builds left, and leave those of this one; in a repository where no --cache-store is given",
  },
  {
    name: "cache-repo",
    type: "string",
    value: "REPOSITORY",
    help: "the repository with cached layers, with --cache; the first destination's and /cache where none is given",
  },
  {
    name: "cache-store",
    type: "multi",
    value: "DIR|ci",
    help: "a directory with cached layers, or ci, the CI's own cache service; may be repeated",
  },
  { name: "cache-store-limit", type: "string", value: "SIZE", help: "how much each such store may hold, as 10GB; the least used goes" },
  {
    name: "cache-dir",
    type: "string",
    value: "PATH",
    default: "/cache",
    help: "directory with base images that slipway warm has put there; looked into with --cache, or where it is given",
  },
  { name: "cache-ttl", type: "duration", value: "DURATION", default: "336h", help: "how long a layer is used after its step ran" },
  { name: "cache-run-layers", type: "boolean", default: "true", help: "cache the layers of RUN and WORKDIR" },
  { name: "cache-copy-layers", type: "boolean", default: "true", help: "cache the layers of COPY and ADD" },
  { name: "cache-mounts", type: "boolean", default: "true", help: "keep what RUN --mount=type=cache holds in the cache, too" },
  {
    name: "cache-mounts-limit",
    type: "string",
    value: "SIZE",
    default: "2GB",
    help: "such a directory with more in its files is not kept",
  },
  { name: "cache-scope", type: "string", value: "NAME", help: "write to a part of the cache that builds without this name never read" },
  {
    name: "cache-key-secret",
    type: "string",
    value: "env=NAME|src=FILE",
    help: "sign what is written to the cache, and take nothing that is not signed so",
  },
  {
    name: "unused-for",
    type: "duration",
    value: "DURATION",
    commands: ["prune"],
    help: "of slipway prune: remove what was not used for so long, as 336h",
  },
  {
    name: "max-size",
    type: "string",
    value: "SIZE",
    commands: ["prune"],
    help: "of slipway prune: remove the least recently used until the rest fits, as 10GB",
  },
  { name: "dry-run", type: "boolean", commands: ["prune"], help: "of slipway prune: say what would go, and leave it" },
  {
    name: "compressed-caching",
    type: "boolean",
    default: "true",
    help: "keep compressed layers in memory",
    status: "accepted",
    reason: "layers are never kept in memory",
  },
];

const log: readonly Row[] = [
  {
    name: "verbosity",
    short: "v",
    type: "string",
    value: "LEVEL",
    choices: levels,
    default: "info",
    help: `what to say: ${levels.join(", ")}; what the steps' commands write is always shown`,
  },
  {
    name: "log-format",
    type: "string",
    value: "FORMAT",
    choices: logFormats,
    defaultText: "color on a terminal, else text",
    help: `how to say it: ${logFormats.join(", ")}`,
  },
  { name: "log-timestamp", type: "boolean", help: "start each line with the time" },
];

const own: readonly Row[] = [
  {
    name: "state-dir",
    type: "string",
    value: "PATH",
    defaultText: "a private one that is removed after the build",
    help: "where blobs and unpacked layers lie; several builds may share it; env SLIPWAY_HOME",
  },
  {
    name: "sandbox",
    type: "string",
    value: "NAME",
    choices: ["auto", "ns", "userns", "chroot", "inplace", "userns-single", "chroot-bare"],
    default: "auto",
    help: "where RUN runs: auto (the strongest that works here), ns, userns, chroot, inplace, userns-single, chroot-bare",
  },
  {
    name: "no-sudo",
    type: "boolean",
    help: "never ask sudo; without it a build that is not root's has the helper run by sudo -n where that needs no password; env SLIPWAY_NO_SUDO=1",
  },
  {
    name: "format",
    type: "string",
    value: "NAME",
    choices: ["text", "json", "sarif"],
    default: "text",
    commands: ["check", "explain", "doctor"],
    help: "of slipway check, explain and doctor: how to print what was found: text, json (of check as BuildKit's), sarif (2.1.0, of check alone)",
  },
];

/** Every flag, in the order of the help. */
export const flags: readonly Flag[] = (
  [
    ["Inputs", inputs],
    ["Registries and TLS", registries],
    ["Outputs and push", outputs],
    ["Build behaviour", behaviour],
    ["Cache", cache],
    ["Log", log],
    ["Slipway's own", own],
  ] as const
).flatMap(([group, rows]) => rows.map((row) => ({ status: "works" as const, ...row, group })));

/** May the flag be given several times, every value counting? */
export function takesMany(flag: Flag): boolean {
  return flag.type === "multi" || flag.type === "keyValue" || flag.type === "keyMultiValue";
}

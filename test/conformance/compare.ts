// Compares an image with what BuildKit made of the same Dockerfile; differences are lines for people.

import type { ExpectedImage, FlatTree, Node } from "./case.ts";

/** Written by whoever runs the build, hence never compared. */
const ambient = new Set(["/", "/etc/hosts", "/etc/hostname", "/etc/resolv.conf"]);

const configKeys = [
  "Env",
  "Cmd",
  "Entrypoint",
  "WorkingDir",
  "User",
  "Labels",
  "ExposedPorts",
  "Volumes",
  "StopSignal",
  "Healthcheck",
  "Shell",
  "OnBuild",
] as const;

/** `actual` is the whole flattened image, `base` the base it was built on: `{}` for scratch. `expected` names what differs from the base. */
export function compareTrees(actual: FlatTree, base: FlatTree, expected: ExpectedImage): string[] {
  const ignored = new Set([...ambient, ...expected.unstable]);
  const wanted = new Map(Object.entries(base));
  for (const path of expected.removed) wanted.delete(path);
  const busybox = base["/bin/busybox"]?.h;
  for (const [path, node] of Object.entries(expected.tree)) {
    wanted.set(path, node.h === "busybox" && busybox !== undefined ? { ...node, h: busybox } : node);
  }
  const paths = [...new Set([...wanted.keys(), ...Object.keys(actual)])].sort();
  return paths.filter((path) => !ignored.has(path)).flatMap((path) => compareNodes(path, wanted.get(path), actual[path]));
}

function compareNodes(path: string, wanted: Node | undefined, got: Node | undefined): string[] {
  if (wanted === undefined) return [`${path}: not expected, is ${showNode(got)}`];
  if (got === undefined) return [`${path}: missing, should be ${showNode(wanted)}`];
  const [left, right] = [showNode(wanted), showNode(got)];
  return left === right ? [] : [`${path}: should be ${left}`, `${" ".repeat(path.length)}         is ${right}`];
}

/** Sorted keys, so that the order in the data does not matter. */
function showNode(node: Node | undefined): string {
  const parts = Object.entries(node ?? {}).sort(([a], [b]) => (a < b ? -1 : 1));
  return parts.map(([key, value]) => `${key}=${showValue(value)}`).join(" ");
}

/** What no value means: the working directory that BuildKit gives to images from scratch, the user 0. The expectations leave both out. */
const usual: Readonly<Record<string, string>> = { WorkingDir: "/", User: "0" };

export function compareConfigs(actual: Readonly<Record<string, unknown>>, expected: Readonly<Record<string, unknown>>): string[] {
  return configKeys.flatMap((key) => {
    const [wanted, got] = [expected, actual].map((config) => showValue(config[key] === usual[key] ? "" : config[key]));
    return wanted === got ? [] : [`config ${key}: should be ${wanted}`, `       ${" ".repeat(key.length)}         is ${got}`];
  });
}

/** Absent, null and empty are one: encoders differ in what they leave out. */
function showValue(value: unknown): string {
  if (value === undefined || value === null || value === "") return "(none)";
  if (typeof value !== "object") return String(value);
  const entries = Object.entries(value);
  if (entries.length === 0) return "(none)";
  return JSON.stringify(Array.isArray(value) ? value : Object.fromEntries(entries.sort(([a], [b]) => (a < b ? -1 : 1))));
}

export interface ImageShape {
  readonly layers: number;
  readonly diffIds: readonly string[];
  /** sha256 of each layer's uncompressed bytes. */
  readonly measuredDiffIds: readonly string[];
  readonly history: readonly { readonly empty_layer?: boolean }[];
}

/** count(history that is no empty_layer) = layers = diffIds, and the diffIds are true. */
export function compareShape({ layers, diffIds, measuredDiffIds, history }: ImageShape): string[] {
  const told = history.filter((entry) => entry.empty_layer !== true).length;
  const problems: string[] = [];
  if (told !== layers) problems.push(`history: ${told} of its ${history.length} entries have a layer, the manifest has ${layers} layers`);
  if (diffIds.length !== layers) problems.push(`rootfs: ${diffIds.length} diffIds, the manifest has ${layers} layers`);
  for (const [index, measured] of measuredDiffIds.entries()) {
    if (diffIds[index] !== measured) problems.push(`layer ${index + 1}: its diffId should be ${measured}`, `         is ${diffIds[index]}`);
  }
  return problems;
}

const causes: readonly (readonly [theirs: RegExp, ours: (match: RegExpExecArray) => readonly RegExp[]])[] = [
  [
    /failed to calculate checksum [^"]*"\/?(.+)": not found/,
    ([, path]) => [literal(path), /not found|no such|does not exist|missing|absent|matches nothing/i],
  ],
  [/unexpected end of statement while looking for matching (single|double)-quote/, ([, kind]) => [new RegExp(`${kind}.?quote`, "i")]],
  [/cannot replace to directory (\S+) with file/, ([, path]) => [literal(path), /director/i, /replace|file|not a directory/i]],
  [/cannot copy to non-directory: (\S+)/, ([, path]) => [literal(path), /not a directory|non-directory|no directory/i]],
  [/failed to parse stage name "(.+?)".*must be lowercase/, ([, name]) => [literal(name), /lower.?case/i]],
];

const literal = (text = ""): RegExp => new RegExp(text.replaceAll(/[\\^$.*+?()[\]{}|]/g, "\\$&"));

/** Whether our message names the cause that BuildKit's names; lines about what it lacks. */
export function compareErrors(theirs: string, ours: string): string[] {
  for (const [pattern, needs] of causes) {
    const match = pattern.exec(theirs);
    if (match === null) continue;
    return needs(match)
      .filter((need) => !need.test(ours))
      .map((need) => `the error should say ${need}: BuildKit says "${theirs}"`);
  }
  return [`no row of the causes table knows "${theirs}"`];
}

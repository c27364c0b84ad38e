// The addresses of git repositories that ADD takes, with all that BuildKit lets them carry.

/** A state of a repository, and what of it is wanted. */
export interface GitSource {
  /** For git itself: without fragment and query. */
  readonly remote: string;
  /** A branch, tag, full ref or commit; the remote's default branch where it is not given. */
  readonly ref?: string;
  /** The commit that must be found, or the beginning of it. */
  readonly checksum?: string;
  /** Below the repository's root. */
  readonly subdir?: string;
  readonly submodules: boolean;
  readonly keepGitDir: boolean;
  /** What files are dated by. */
  readonly mtime: "checkout" | "commit";
  /** Ask for the checksum's commit, whatever the ref. */
  readonly fetchByCommit: boolean;
}

const scp = /^([\w-]+@[\w.-]+:[^?#]*)(?:\?([^#]*))?(?:#(.*))?$/s;
const url = /^((?:git|ssh):\/\/[^?#]+|https?:\/\/[^?#]*\.git)(?:\?([^#]*))?(?:#(.*))?$/is;

/** Whether BuildKit takes a source of ADD for a repository, and not for a path or a file on the web. */
export function isGitSource(text: string): boolean {
  return scp.test(text) || url.test(text);
}

/** Reads `ADDRESS[?key=value&…][#ref[:subdir]]`; throws a SyntaxError, in the words of BuildKit's dfgitutil. */
export function parseGitSource(text: string): GitSource {
  const [, remote = "", query = "", fragment = ""] = scp.exec(text) ?? url.exec(text) ?? [];
  const colon = fragment.indexOf(":");
  let ref = decode(colon < 0 ? fragment : fragment.slice(0, colon));
  let subdir = colon < 0 ? "" : decode(fragment.slice(colon + 1));
  const values = readQuery(query);
  const join = (kind: string, before: string, value: string | undefined) => {
    if (value === undefined || before === value) return before;
    if (before !== "") throw new SyntaxError(`${kind} conflicts: ${JSON.stringify(before)} vs ${JSON.stringify(value)}`);
    return value;
  };
  const tag = values.get("tag");
  const branch = values.get("branch");
  ref = join("ref", ref, values.get("ref"));
  subdir = join("subdir", subdir, values.get("subdir"));
  ref = join("ref", ref, tag && prefixed("refs/tags/", tag));
  if (tag !== undefined && branch !== undefined) throw new SyntaxError("branch conflicts with tag");
  ref = join("ref", ref, branch && prefixed("refs/heads/", branch));
  const checksum = values.get("checksum") ?? values.get("commit");
  if (ref === "" && checksum !== undefined) ref = checksum;
  return {
    remote,
    ...(ref === "" ? {} : { ref }),
    ...(subdir === "" ? {} : { subdir }),
    ...(checksum === undefined ? {} : { checksum: readCommit(checksum) }),
    submodules: readFlag("submodules", values.get("submodules")) ?? true,
    keepGitDir: readFlag("keep-git-dir", values.get("keep-git-dir")) ?? false,
    mtime: readMtime(values.get("mtime") ?? "checkout"),
    fetchByCommit: readFlag("fetch-by-commit", values.get("fetch-by-commit")) ?? false,
  };
}

/** Checks a commit, or the beginning of one, and gives it in lower case. */
export function readCommit(text: string): string {
  if (/^[0-9a-f]{7,64}$/i.test(text)) return text.toLowerCase();
  throw new SyntaxError(`invalid checksum ${text} for Git source, expected hex commit hash`);
}

const keys = ["ref", "tag", "branch", "subdir", "checksum", "commit", "submodules", "keep-git-dir", "mtime", "fetch-by-commit"];
const flags = ["submodules", "keep-git-dir", "fetch-by-commit"];

function readQuery(query: string): ReadonlyMap<string, string> {
  const values = new Map<string, string>();
  for (const [key, value] of new URLSearchParams(query)) {
    if (!keys.includes(key)) throw new SyntaxError(`unexpected query ${JSON.stringify(key)}`);
    if (values.has(key)) throw new SyntaxError(`query ${JSON.stringify(key)} has multiple values`);
    if (value === "" && !flags.includes(key)) throw new SyntaxError(`query ${JSON.stringify(key)} has no value`);
    values.set(key, value);
  }
  return values;
}

/** Go's strconv.ParseBool; the key alone is true. */
function readFlag(name: string, value: string | undefined): boolean | undefined {
  if (value === undefined) return undefined;
  if (value === "" || /^(1|t|T|TRUE|true|True)$/.test(value)) return true;
  if (/^(0|f|F|FALSE|false|False)$/.test(value)) return false;
  throw new SyntaxError(`invalid ${name} value: ${JSON.stringify(value)}`);
}

function readMtime(value: string): GitSource["mtime"] {
  if (value === "checkout" || value === "commit") return value;
  throw new SyntaxError(`invalid mtime value: ${JSON.stringify(value)}`);
}

function prefixed(prefix: string, name: string): string {
  return name.startsWith(prefix) ? name : `${prefix}${name}`;
}

function decode(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    throw new SyntaxError(`invalid URL escape in ${JSON.stringify(text)}`);
  }
}

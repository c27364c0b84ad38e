// RUN's `--mount` flag, first as CSV fields, then, once variables are known, as a mount.

import { parseCsv } from "./csv.ts";
import { LineError } from "./error.ts";
import type { MountFlag } from "./instruction.ts";
import { quote } from "./quote.ts";
import { parseBoolean, parseBytes, parseUnsigned } from "./scalar.ts";
import { suggest } from "./suggest.ts";

const types = ["bind", "cache", "tmpfs", "secret", "ssh"] as const;
const sharings = ["shared", "private", "locked"] as const;
const keys = [
  ...["type", "from", "source", "target", "readonly", "id", "sharing", "required", "size", "mode", "uid", "gid"],
  ...["src", "dst", "destination", "ro", "rw", "readwrite", "env"],
];

/** https://docs.docker.com/reference/dockerfile/#run---mount */
export interface Mount {
  readonly type: (typeof types)[number];
  readonly from?: string;
  readonly source?: string;
  readonly target?: string;
  readonly readonly: boolean;
  readonly id?: string;
  readonly sharing?: (typeof sharings)[number];
  readonly required: boolean;
  /** The variable a secret is given in; "" is one named after the secret. */
  readonly env?: string;
  readonly mode?: number;
  readonly uid?: number;
  readonly gid?: number;
  /** Bytes. */
  readonly size?: number;
}

/** Splits a `--mount` value; only `from`, which stages are ordered by, is checked. Throws a LineError. */
export function readMountFlag(text: string): MountFlag {
  const fields = parseCsv(text, "mounts").map((field) => {
    const equals = field.indexOf("=");
    const key = (equals < 0 ? field : field.slice(0, equals)).toLowerCase();
    return { key, text: field, ...(equals < 0 ? {} : { value: field.slice(equals + 1) }) };
  });
  const from = fields.findLast(({ key, value }) => key === "from" && value !== undefined)?.value;
  for (const { key, value } of fields) {
    if (key === "from" && value !== undefined && /\$./s.test(value)) {
      throw new LineError("'from' doesn't support variable expansion, define alias stage instead", undefined, { inner: value });
    }
  }
  return { text, fields, ...(from === undefined ? {} : { from }) };
}

type Draft = { -readonly [key in keyof Mount]: Mount[key] };

/** A mount, its values expanded by `expand`. Throws a LineError for what BuildKit refuses. */
export function readMount(flag: MountFlag, expand: (word: string) => string): Mount {
  const mount: Draft = { type: "bind", readonly: false, required: false };
  let writable: boolean | undefined;
  for (const field of flag.fields) {
    const { key, value, text } = field;
    inField(text, () => {
      if (key === "readonly" || key === "ro" || key === "readwrite" || key === "rw") {
        const is = value === undefined || parseBoolean(expand(value), key);
        writable = key.startsWith("readw") || key === "rw" ? is : !is;
      } else if (key === "required") {
        if (mount.type !== "secret" && mount.type !== "ssh")
          throw new LineError(`unexpected key 'required' for mount type '${mount.type}'`);
        mount.required = value === undefined || parseBoolean(expand(value), key);
      } else if (value === undefined) {
        throw new LineError(`invalid field '${text}' must be a key=value pair`);
      } else {
        setField(mount, key, expand(value), text);
      }
    });
  }
  mount.readonly = !(writable ?? (mount.type === "cache" || mount.type === "tmpfs"));
  checkMount(mount, flag);
  return mount;
}

/** Whatever is wrong is wrong in this field. */
function inField(text: string, action: () => void): void {
  try {
    action();
  } catch (error) {
    if (error instanceof LineError) error.part = { inner: error.part.inner ?? text };
    throw error;
  }
}

function setField(mount: Draft, key: string, value: string, text: string): void {
  switch (key) {
    case "type":
      mount.type = choose(value, types, `unsupported mount type ${quote(value)}`);
      return;
    case "from":
    case "id":
    case "env":
    case "source":
    case "target":
      mount[key] = value;
      return;
    case "src":
      mount.source = value;
      return;
    case "dst":
    case "destination":
      mount.target = value;
      return;
    case "sharing":
      mount.sharing = choose(value, sharings, `unsupported sharing value ${quote(value)}`);
      return;
    case "mode":
    case "uid":
    case "gid":
      mount[key] = parseUnsigned(value, key === "mode" ? 8 : 10, `invalid value ${value} for ${key}`);
      return;
    case "size":
      if (mount.type !== "tmpfs") throw new LineError(`unexpected key 'size' for mount type '${mount.type}'`);
      mount.size = parseBytes(value, key);
      return;
    default:
      throw new LineError(`unexpected key '${key}' in '${text}'`, suggest(key, keys));
  }
}

function choose<T extends string>(value: string, options: readonly T[], refusal: string): T {
  const found = options.find((option) => option === value.toLowerCase());
  if (found === undefined) throw new LineError(refusal, suggest(value, options));
  return found;
}

function checkMount(mount: Mount, { fields }: MountFlag): void {
  const fail = (reason: string, ...wrong: readonly string[]): never => {
    const field = fields.findLast(({ key }) => wrong.includes(key));
    throw new LineError(reason, undefined, field === undefined ? {} : { inner: field.text });
  };
  if (mount.type === "bind" || mount.type === "tmpfs") {
    for (const key of ["mode", "uid", "gid"] as const) {
      if (mount[key] !== undefined) fail(`${key} not allowed for ${quote(mount.type)} type mounts`, key);
    }
  }
  if (mount.type === "secret") {
    if (mount.from) fail("secret mount should not have a from", "from");
    if (mount.sharing) fail("secret mount should not define sharing", "sharing");
    if (!mount.source && !mount.target && !mount.id) fail("invalid secret mount. one of source, target required");
    if (mount.source && mount.id) fail("both source and id can't be set", "source", "src");
  }
  if (mount.sharing && mount.type !== "cache") fail(`invalid cache sharing set for ${mount.type} mount`, "sharing");
}

// RUN: its command, its heredocs, and the flags that say what it may reach.

import { readCommand } from "./command.ts";
import { parseCsv } from "./csv.ts";
import { LineError, within } from "./error.ts";
import { exactFlag, flagValue, readFlagValues } from "./flags.ts";
import { findHeredocMark, heredocBody } from "./heredoc.ts";
import type { CommandLine, RunInstruction, Written } from "./instruction.ts";
import { readMountFlag } from "./mount.ts";
import type { Node } from "./node.ts";
import { quote } from "./quote.ts";
import { parseBoolean } from "./scalar.ts";
import { suggest } from "./suggest.ts";

const networks = ["default", "none", "host"] as const;
const securities = ["sandbox", "insecure"] as const;

export function readRun(node: Node): Omit<RunInstruction, "kind" | keyof Written> {
  const flags = readFlagValues(node.flags, { mount: "list", network: "text", security: "text", device: "list" });
  const network = networks.find((known) => known === (flags.network ?? "default"));
  if (network === undefined)
    throw new LineError(
      `invalid network mode ${quote(flags.network ?? "")}`,
      suggest(flags.network ?? "", networks),
      flagValue("--network", flags.network),
    );
  const security = securities.find((known) => known === (flags.security ?? "sandbox"));
  if (security === undefined)
    throw new LineError(
      `security ${quote(flags.security ?? "")} is not valid`,
      suggest(flags.security ?? "", securities),
      flagValue("--security", flags.security),
    );
  const mounts = flags.mount.map((text) => within(exactFlag("--mount", text), () => readMountFlag(text)));
  const devices = flags.device.map((text) => within(exactFlag("--device", text), () => readDevice(text)));
  return { command: readCommand(node), heredocs: node.heredocs, mounts, network, security, devices };
}

function readDevice(text: string): { name: string; required: boolean } {
  let name = "";
  let required = false;
  for (const field of parseCsv(text, "devices")) {
    const equals = field.indexOf("=");
    const key = (equals < 0 ? field : field.slice(0, equals)).toLowerCase();
    const value = equals < 0 ? undefined : field.slice(equals + 1);
    if (key === "required") required = value === undefined || parseBoolean(value, key);
    else if (key === "name" && value !== undefined) {
      if (name !== "") throw new LineError(`device name already set to ${name}`, undefined, { inner: field });
      name = value;
    } else if (name === "") name = field;
    else if (value === undefined) throw new LineError(`invalid field '${field}' must be a key=value pair`, undefined, { inner: field });
    else throw new LineError(`unexpected key '${key}' in '${field}'`, suggest(key, ["name", "required"]), { inner: field });
  }
  return { name, required };
}

/**
 * What a RUN runs once its heredocs are counted in. A heredoc alone is the text for the shell, unless its body begins with `#!`: then
 * it is a file, to be mounted at `path` with mode 0755, and the text for the shell is that path. Beside other text, everything is
 * handed to the shell as it stands in the file.
 */
export function readScript(run: RunInstruction): {
  readonly command: CommandLine;
  readonly file?: { readonly path: string; readonly content: string };
} {
  const { command, heredocs } = run;
  const [first] = heredocs;
  if (command.form === "exec" || first === undefined) return { command };
  if (!findHeredocMark(command.text)) {
    return { command: { form: "shell", text: command.text + heredocs.map(({ content, name }) => `\n${content}${name}`).join("") } };
  }
  const content = heredocBody(first);
  if (!content.startsWith("#!")) return { command: { form: "shell", text: content } };
  const path = `/dev/pipes/${first.name}`;
  return { command: { form: "shell", text: path }, file: { path, content } };
}

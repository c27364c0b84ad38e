// The files that a command sees in place of the image's own: host names and name servers.

import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";

/** As BuildKit writes it, with the name that the command's machine has. */
const formatHosts = (hostname: string): string => `127.0.0.1\tlocalhost ${hostname}\n::1\tlocalhost ip6-localhost ip6-loopback\n`;

/** Writes them into a directory and gives path in the root → file. The network is the machine's own, and so are its name servers. */
export async function writeEtcFiles(directory: string, hostname: string): Promise<Readonly<Record<string, string>>> {
  const hosts = join(directory, "hosts");
  const resolv = join(directory, "resolv.conf");
  const servers = await readFile("/etc/resolv.conf").catch(() => "");
  await writeFile(hosts, formatHosts(hostname), { mode: 0o644 });
  await writeFile(resolv, servers, { mode: 0o644 });
  return { "/etc/hosts": hosts, "/etc/resolv.conf": resolv };
}

/**
 * The same for a file in apt's own directory. Where nobody can become somebody else, apt does not trust what looks as if it could: it must
 * not try.
 */
export async function writeAptFile(directory: string): Promise<Readonly<Record<string, string>>> {
  const file = join(directory, "apt.conf");
  await writeFile(file, 'APT::Sandbox::User "root";\n', { mode: 0o644 });
  return { "/etc/apt/apt.conf.d/zz-one-user": file };
}

// The files that a command sees in place of the image's own: host names and name servers.

import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";

/** As BuildKit writes it, with the name that the command's machine has. */
function formatHosts(hostname: string): string {
  const local = ["127.0.0.1\tlocalhost", "::1\tlocalhost ip6-localhost ip6-loopback"];
  const groups = ["fe00::0\tip6-localnet", "ff00::0\tip6-mcastprefix", "ff02::1\tip6-allnodes", "ff02::2\tip6-allrouters"];
  return [...local, ...groups, `127.0.0.1\t${hostname}`, ""].join("\n");
}

/** Writes them into a directory and gives path in the root → file. The network is the machine's own, and so are its name servers. */
export async function writeEtcFiles(directory: string, hostname: string): Promise<Readonly<Record<string, string>>> {
  const hosts = join(directory, "hosts");
  const resolv = join(directory, "resolv.conf");
  const servers = await readFile("/etc/resolv.conf").catch(() => "");
  await writeFile(hosts, formatHosts(hostname), { mode: 0o644 });
  await writeFile(resolv, servers, { mode: 0o644 });
  return { "/etc/hosts": hosts, "/etc/resolv.conf": resolv };
}

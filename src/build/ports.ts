// The ports of an EXPOSE line.

const protocols = ["tcp", "udp", "sctp"];

/** `80`, `80-82/udp`, `127.0.0.1:8080:80/tcp` → `80/tcp` and so on, in order; what stands before the container's port is left out. Throws a RangeError. */
export function expandPorts(spec: string): string[] {
  const slash = spec.indexOf("/");
  const protocol = (slash < 0 ? "tcp" : spec.slice(slash + 1)).toLowerCase() || "tcp";
  const wrong = (why: string) => new RangeError(`invalid containerPort: ${spec}: ${why}`);
  if (!protocols.includes(protocol)) throw wrong(`"${protocol}" is no protocol; use tcp, udp or sctp`);
  const address = slash < 0 ? spec : spec.slice(0, slash);
  const range = /^(\d{1,5})(?:-(\d{1,5}))?$/.exec(address.slice(address.lastIndexOf(":") + 1));
  if (range === null) throw wrong("it must be a port, or a range of ports");
  const first = Number(range[1]);
  const last = Number(range[2] ?? range[1]);
  if (first > 65535 || last > 65535) throw wrong("ports end at 65535");
  if (last < first) throw wrong("the range ends before it begins");
  return Array.from({ length: last - first + 1 }, (_, i) => `${first + i}/${protocol}`);
}

/** By number, then by protocol. */
export function comparePorts(a: string, b: string): number {
  return Number.parseInt(a, 10) - Number.parseInt(b, 10) || (a < b ? -1 : a > b ? 1 : 0);
}

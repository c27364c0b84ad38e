// The two processors that the executor image is made for, by each of the names that they go by.

export interface Architecture {
  /** Docker's and Debian's name. */
  readonly name: "amd64" | "arm64";
  /** Node's name. */
  readonly node: "x64" | "arm64";
  /** The kernel's name, which the helper's file has. */
  readonly machine: "x86_64" | "aarch64";
  /** What the names of Debian's tools and folders for it begin with. */
  readonly triplet: string;
}

const architectures: readonly Architecture[] = [
  { name: "amd64", node: "x64", machine: "x86_64", triplet: "x86_64-linux-gnu" },
  { name: "arm64", node: "arm64", machine: "aarch64", triplet: "aarch64-linux-gnu" },
];

/** This machine's where no name is given. */
export function findArchitecture(name: string | undefined): Architecture {
  const found = architectures.find((one) => (name === undefined ? one.node === process.arch : one.name === name));
  if (found === undefined) throw new Error(`Cannot make an image for "${name ?? process.arch}": it must be amd64 or arm64`);
  return found;
}

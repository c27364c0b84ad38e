// The places in which a store can be, one of each kind, for the laws that hold in all of them.

import { join } from "node:path";
import type { TestContext } from "node:test";
import { openDirectoryStore } from "../../src/cache/directory-store.ts";
import { openOciStore } from "../../src/cache/oci-store.ts";
import { openRegistryStore } from "../../src/cache/registry-store.ts";
import type { Store } from "../../src/cache/store.ts";
import { parseReference } from "../../src/image/reference.ts";
import { openLocalRegistry } from "../support/local-registry.ts";
import { startRegistry } from "../support/registry.ts";
import { openTestClient } from "../support/registry-image.ts";
import { makeFolder } from "./records.ts";

export interface Place {
  /** A store as another build would open it. */
  open(): Store;
  /** What stores have warned of. */
  readonly texts: string[];
  /** Arguments of the program that puts records until it is killed. */
  readonly program: readonly string[];
}

export interface Kind {
  readonly name: string;
  /** Undefined where the machine lacks something; the test is skipped then. */
  prepare(t: TestContext): Promise<Place | undefined>;
}

export function listen(): { readonly texts: string[]; readonly report: { emit(event: object): void } } {
  const texts: string[] = [];
  const emit = (event: object) => {
    if ("kind" in event && event.kind === "warning" && "text" in event) texts.push(String(event.text));
  };
  return { texts, report: { emit } };
}

async function inRepository(t: TestContext, host: string): Promise<Place> {
  const { texts, report } = listen();
  const open = () => {
    const { client } = openTestClient(t, {}, 5000);
    return openRegistryStore(parseReference(`${host}/app/cache`), { registry: client, report });
  };
  return { texts, open, program: ["registry", `${host}/app/cache`] };
}

export const kinds: readonly Kind[] = [
  {
    name: "a directory",
    async prepare(t) {
      const { texts, report } = listen();
      const directory = join(makeFolder(t), "cache");
      return { texts, open: () => openDirectoryStore(directory, { report }), program: ["directory", directory] };
    },
  },
  {
    name: "an image layout",
    async prepare(t) {
      const { texts, report } = listen();
      const directory = join(makeFolder(t), "layout");
      return { texts, open: () => openOciStore(directory, { report }), program: ["oci", directory] };
    },
  },
  { name: "a repository", prepare: async (t) => inRepository(t, (await startRegistry(t, { tagsPerPage: 3 })).host) },
  {
    name: "a repository of Debian's registry",
    async prepare(t) {
      const registry = await openLocalRegistry(t);
      return registry === undefined ? undefined : inRepository(t, registry.host);
    },
  },
];

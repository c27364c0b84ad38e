// The agents of a build by id: those of the machine, and one for each set of keys.

import { type Listener, openAgent, type PrivateKey, readPrivateKey } from "../agent/agent.ts";
import { removeTree } from "../filesystem/filesystem.ts";
import { BuildFailure } from "./failure.ts";
import { makeWorkDirectory } from "./fetching.ts";
import type { Request } from "./request.ts";
import type { BuildTools } from "./result.ts";

export interface AgentTools extends BuildTools {
  /** Sockets of agents by id. */
  readonly ssh: ReadonlyMap<string, string>;
}

export interface Agents {
  /** Paths by id that can be connected to until `close`. */
  readonly sockets: ReadonlyMap<string, string>;
  close(): Promise<void>;
}

/** Throws a BuildFailure that names the file of a key that cannot be used. */
export async function openAgents(request: Pick<Request, "ssh" | "stateDir">): Promise<Agents> {
  const sockets = new Map<string, string>();
  const sets = new Map<string, readonly PrivateKey[]>();
  for (const [id, source] of request.ssh) {
    if (source.kind === "socket") sockets.set(id, source.path);
    else {
      const keys = source.files.map((file) => readKey(file, id));
      sets.set(id, keys);
    }
  }
  if (sets.size === 0) return { sockets, async close() {} };
  const directory = await makeWorkDirectory(request);
  const opened: Listener[] = [];
  const close = async () => {
    await Promise.all(opened.map((agent) => agent.close()));
    await removeTree(directory);
  };
  try {
    for (const [id, keys] of sets) {
      const agent = await openAgent(keys, directory, String(opened.length));
      opened.push(agent);
      sockets.set(id, agent.path);
    }
  } catch (error) {
    await close();
    throw error;
  }
  return { sockets, close };
}

function readKey({ path, bytes }: { readonly path: string; readonly bytes: Uint8Array }, id: string): PrivateKey {
  try {
    return readPrivateKey(bytes);
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    throw new BuildFailure(`Cannot use the key "${path}" of --ssh ${id}: ${why}`, {
      hint: "give an unencrypted private key, or ssh-add it to an ssh-agent and pass its socket",
    });
  }
}

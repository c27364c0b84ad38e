// A socket for a command that passes on to an SSH agent what uses keys: https://www.rfc-editor.org/rfc/rfc9987

import { chmod, chown, type FileHandle, open } from "node:fs/promises";
import { connect, createServer, type Socket } from "node:net";
import { join } from "node:path";

/** SSH_AGENTC_REQUEST_IDENTITIES, SSH_AGENTC_SIGN_REQUEST: as in BuildKit, a build neither adds nor removes nor locks keys. */
const passedOn: ReadonlySet<number> = new Set([11, 13]);
/** One message: SSH_AGENT_FAILURE. */
const failure = Buffer.from([0, 0, 0, 1, 5]);
const maxMessage = 1 << 18;

export interface AgentProxy {
  close(): Promise<void>;
}

/** Listens on a new socket `name` in a directory until it is closed. */
export async function openAgentProxy(
  directory: string,
  name: string,
  agent: { readonly socket: string; readonly mode: number; readonly uid: number; readonly gid: number },
): Promise<AgentProxy> {
  const connections = new Set<Socket>();
  const track = (socket: Socket) => {
    connections.add(socket);
    socket.on("close", () => connections.delete(socket));
    return socket;
  };
  const server = createServer((client) => {
    const upstream = track(connect(agent.socket));
    track(client);
    client.on("data", filterRequests(upstream, client));
    upstream.pipe(client);
    client.on("end", () => upstream.end());
    client.on("error", () => upstream.destroy());
    upstream.on("error", () => client.destroy());
  });
  // The path of a socket has 107 bytes; that of a state directory may be longer.
  const handle: FileHandle = await open(directory, "r");
  try {
    await new Promise<void>((resolve, reject) => {
      server.once("error", reject);
      server.listen(`/proc/self/fd/${handle.fd}/${name}`, resolve);
    });
    await chown(join(directory, name), agent.uid, agent.gid);
    await chmod(join(directory, name), agent.mode);
  } catch (error) {
    server.close();
    throw error;
  } finally {
    await handle.close();
  }
  return {
    async close() {
      for (const connection of connections) connection.destroy();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

function filterRequests(upstream: Socket, client: Socket): (chunk: Buffer) => void {
  let rest: Buffer = Buffer.alloc(0);
  return (chunk) => {
    rest = Buffer.concat([rest, chunk]);
    while (rest.length >= 5) {
      const size = 4 + rest.readUInt32BE(0);
      if (size < 5 || size > maxMessage) return void client.destroy();
      if (rest.length < size) return;
      const message = rest.subarray(0, size);
      if (passedOn.has(message[4] ?? 0)) upstream.write(message);
      else client.write(failure);
      rest = rest.subarray(size);
    }
  };
}

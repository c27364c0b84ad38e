// A Unix socket that agents' messages are read from, however long its path is.

import { chmod, chown, type FileHandle, open } from "node:fs/promises";
import { createServer, type Socket } from "node:net";
import { join } from "node:path";

const maxMessage = 1 << 18;
/** What the kernel takes for the path of a socket, without the NUL at its end. */
const longestPath = 107;

export interface Listener {
  /** A path that can be connected to while the listener is open. */
  readonly path: string;
  /** Ends the connections, too. */
  close(): Promise<void>;
}

export interface SocketOptions {
  /** Permission bits. */
  readonly mode: number;
  readonly uid?: number;
  readonly gid?: number;
  onClient(client: Socket): void;
}

/** Listens on a new socket `name` in a directory until it is closed. */
export async function listenAt(directory: string, name: string, { mode, uid = -1, gid = -1, onClient }: SocketOptions): Promise<Listener> {
  const clients = new Set<Socket>();
  const server = createServer((client) => {
    clients.add(client);
    client.on("close", () => clients.delete(client));
    onClient(client);
  });
  const handle: FileHandle = await open(directory, "r");
  const path = join(directory, name);
  try {
    await new Promise<void>((resolve, reject) => {
      server.once("error", reject);
      server.listen(`/proc/self/fd/${handle.fd}/${name}`, resolve);
    });
    await chown(path, uid, gid);
    await chmod(path, mode);
  } catch (error) {
    server.close();
    await handle.close();
    throw error;
  }
  return {
    path: Buffer.byteLength(path) <= longestPath ? path : `/proc/${process.pid}/fd/${handle.fd}/${name}`,
    async close() {
      for (const client of clients) client.destroy();
      await new Promise((resolve) => server.close(resolve));
      await handle.close();
    },
  };
}

/** Calls for each message, its length included; ends the connection with the first that is none. */
export function onMessages(client: Socket, listener: (message: Buffer) => void): void {
  let rest: Buffer = Buffer.alloc(0);
  client.on("data", (chunk: Buffer) => {
    rest = Buffer.concat([rest, chunk]);
    while (rest.length >= 5) {
      const size = 4 + rest.readUInt32BE(0);
      if (size < 5 || size > maxMessage) return void client.destroy();
      if (rest.length < size) return;
      listener(rest.subarray(0, size));
      rest = rest.subarray(size);
    }
  });
}

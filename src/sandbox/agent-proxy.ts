// A socket for a command that passes on to an SSH agent what uses keys: https://www.rfc-editor.org/rfc/rfc9987

import { connect } from "node:net";
import { failure, type Listener, listenAt, messages, onMessages } from "../agent/agent.ts";

/** As in BuildKit, a build neither adds nor removes nor locks keys. */
const passedOn: ReadonlySet<number> = new Set([messages.listKeys, messages.sign]);

/** Listens on a new socket `name` in a directory, which is this user's alone, until it is closed; `socket` is the agent's. */
export function openAgentProxy(directory: string, name: string, socket: string): Promise<Listener> {
  return listenAt(directory, name, {
    mode: 0o600,
    onClient(client) {
      const upstream = connect(socket);
      onMessages(client, (message) => {
        if (passedOn.has(message[4] ?? 0)) upstream.write(message);
        else client.write(failure);
      });
      upstream.pipe(client);
      client.on("end", () => upstream.end());
      client.on("error", () => upstream.destroy());
      client.on("close", () => upstream.destroy());
      upstream.on("error", () => client.destroy());
    },
  });
}

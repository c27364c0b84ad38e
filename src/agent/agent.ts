// An SSH agent in this process, for keys that never leave it: https://www.rfc-editor.org/rfc/rfc9987

import { type Listener, listenAt, onMessages } from "./listen.ts";
import type { PrivateKey } from "./private-key.ts";
import { bytesField, FieldReader, numberField } from "./wire.ts";

export { type Listener, listenAt, onMessages } from "./listen.ts";
export { type PrivateKey, readPrivateKey } from "./private-key.ts";

/** What `--ssh` gives: somebody's agent by the absolute path of its socket, or files of keys, as they are called and what is in them. */
export type AgentSource =
  | { readonly kind: "socket"; readonly path: string }
  | { readonly kind: "keys"; readonly files: readonly { readonly path: string; readonly bytes: Uint8Array }[] };

/** Requests, and the answers to them. */
export const messages = { failure: 5, listKeys: 11, keys: 12, sign: 13, signature: 14 } as const;

/** SSH_AGENT_FAILURE */
export const failure = Buffer.concat([numberField(1), Buffer.from([messages.failure])]);

/** Serves the keys on a new socket in a directory, to this user alone; whoever asks to change them is refused. */
export function openAgent(keys: readonly PrivateKey[], directory: string, name: string): Promise<Listener> {
  return listenAt(directory, name, {
    mode: 0o600,
    onClient(client) {
      client.on("error", () => client.destroy());
      onMessages(client, (message) => client.write(answer(message, keys)));
    },
  });
}

function answer(message: Buffer, keys: readonly PrivateKey[]): Buffer {
  try {
    if (message[4] === messages.listKeys) return list(keys);
    if (message[4] === messages.sign) return sign(new FieldReader(message.subarray(5)), keys);
  } catch {
    // What cannot be read or signed is refused like the rest.
  }
  return failure;
}

function list(keys: readonly PrivateKey[]): Buffer {
  const entries = keys.flatMap(({ blob }) => [bytesField(blob), bytesField("")]);
  return bytesField(Buffer.concat([Buffer.from([messages.keys]), numberField(keys.length), ...entries]));
}

function sign(request: FieldReader, keys: readonly PrivateKey[]): Buffer {
  const [blob, data, flags] = [request.bytes(), request.bytes(), request.number()];
  const key = keys.find((one) => one.blob.equals(blob));
  if (key === undefined) return failure;
  return bytesField(Buffer.concat([Buffer.from([messages.signature]), bytesField(key.sign(data, flags))]));
}

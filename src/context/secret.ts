// Secrets that prove to a host who we are.

/** Bytes by id. */
export type Secrets = ReadonlyMap<string, Uint8Array>;

/** A secret as text that can stand in a header: without the line end that files have. */
export function readSecret(secrets: Secrets, id: string): string | undefined {
  const bytes = secrets.get(id);
  return bytes && Buffer.from(bytes).toString("utf8").trim();
}

// What the token of a job says about the caches that the job may read and write.

export interface CacheScope {
  /** A git reference, `refs/heads/main`; empty where the token does not say. */
  readonly name: string;
  readonly mayRead: boolean;
  readonly mayWrite: boolean;
}

/** Bits of a scope's permission. */
const permission = { read: 1, write: 2 };

/**
 * The scopes of a job's token, its own first: a job on a branch writes to its branch's scope and reads that of the default branch as well.
 * The service checks each of them again. A token that says nothing of scopes, as those of act, may do everything in one without a name.
 */
export function scopesOf(token: string): readonly CacheScope[] {
  const found = parseScopes(token);
  if (found === undefined) return [{ name: "", mayRead: true, mayWrite: true }];
  const scopes = found.map(([name, bits]) => {
    const mayRead = (bits & permission.read) !== 0;
    return { name, mayRead, mayWrite: (bits & permission.write) !== 0 };
  });
  return scopes.sort((a, b) => Number(b.mayWrite) - Number(a.mayWrite));
}

/** The claim `ac` of the token's payload is JSON in a string: `[{"Scope":"refs/heads/main","Permission":3}]`. */
function parseScopes(token: string): (readonly [string, number])[] | undefined {
  try {
    const payload = JSON.parse(Buffer.from(token.split(".")[1] ?? "", "base64url").toString()) as { ac?: string };
    if (payload.ac === undefined) return undefined;
    const scopes = JSON.parse(payload.ac) as { Scope: string; Permission: number }[];
    return scopes.map(({ Scope, Permission }) => [String(Scope), Number(Permission)]);
  } catch {
    return undefined;
  }
}

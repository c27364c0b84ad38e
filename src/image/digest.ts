// What a sha256 digest is and how it is written.

/** `sha256:` and 64 lower-case hex digits, as the OCI image specification writes content digests. */
export type Digest = `sha256:${string}`;

const pattern = /^sha256:[0-9a-f]{64}$/;

/** Tells whether a text is a digest that Slipway can verify. */
export function isDigest(text: string): text is Digest {
  return pattern.test(text);
}

/** The 64 hex digits of a digest. */
export function hexOf(digest: Digest): string {
  return digest.slice("sha256:".length);
}

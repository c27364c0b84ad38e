// A private key that signs as SSH has it: https://www.rfc-editor.org/rfc/rfc4253#section-6.6 and the documents of the other types.

import { createPrivateKey, createPublicKey, type KeyObject, sign } from "node:crypto";
import { readOpensshKey } from "./openssh-key.ts";
import { bytesField, integerField } from "./wire.ts";

export interface PrivateKey {
  /** The public half, as it stands in `.pub` files. */
  readonly blob: Buffer;
  /** `flags` are those of the agent's protocol, which choose the hash of an RSA signature. */
  sign(data: Uint8Array, flags: number): Buffer;
}

/** SSH_AGENT_RSA_SHA2_256, SSH_AGENT_RSA_SHA2_512 */
const [sha256Flag, sha512Flag] = [2, 4];

/** By JSON web key's name of the curve. */
const curves: Readonly<Record<string, readonly [name: string, hash: string]>> = {
  "P-256": ["nistp256", "sha256"],
  "P-384": ["nistp384", "sha384"],
  "P-521": ["nistp521", "sha512"],
};

/** From the bytes of a file: OpenSSH's format, PKCS #1, #8 and SEC1. Throws an Error that says what is wrong, and shows nothing of the key. */
export function readPrivateKey(bytes: Uint8Array): PrivateKey {
  const text = Buffer.from(bytes).toString("latin1");
  if (/-----BEGIN ENCRYPTED PRIVATE KEY-----|^Proc-Type: 4,ENCRYPTED/m.test(text)) throw new Error("it is encrypted");
  const key = readOpensshKey(text) ?? readPem(text);
  const type = key.asymmetricKeyType;
  if (type === "ed25519") return ed25519Key(key);
  if (type === "rsa") return rsaKey(key);
  if (type === "ec") return ecdsaKey(key);
  throw new Error(`keys of the type ${type} are not supported`);
}

function readPem(text: string): KeyObject {
  try {
    return createPrivateKey(text);
  } catch {
    throw new Error("it is no private key");
  }
}

function ed25519Key(key: KeyObject): PrivateKey {
  const name = "ssh-ed25519";
  const [x = ""] = publicParts(key, ["x"]);
  return {
    blob: join(bytesField(name), bytesField(x)),
    sign: (data) => join(bytesField(name), bytesField(sign(null, data, key))),
  };
}

function rsaKey(key: KeyObject): PrivateKey {
  const [e, n] = publicParts(key, ["e", "n"]);
  return {
    blob: join(bytesField("ssh-rsa"), integerField(e ?? Buffer.alloc(0)), integerField(n ?? Buffer.alloc(0))),
    sign(data, flags) {
      const [name, hash] =
        (flags & sha512Flag) !== 0
          ? ["rsa-sha2-512", "sha512"]
          : (flags & sha256Flag) !== 0
            ? ["rsa-sha2-256", "sha256"]
            : ["ssh-rsa", "sha1"];
      return join(bytesField(name), bytesField(sign(hash, data, key)));
    },
  };
}

function ecdsaKey(key: KeyObject): PrivateKey {
  const [curve, hash] = curves[createPublicKey(key).export({ format: "jwk" }).crv ?? ""] ?? [];
  if (curve === undefined || hash === undefined) throw new Error("its curve is not supported");
  const [x = Buffer.alloc(0), y = Buffer.alloc(0)] = publicParts(key, ["x", "y"]);
  const name = bytesField(`ecdsa-sha2-${curve}`);
  return {
    blob: join(name, bytesField(curve), bytesField(join(Buffer.from([4]), x, y))),
    sign(data) {
      const both = sign(hash, data, { key, dsaEncoding: "ieee-p1363" });
      const half = both.length / 2;
      return join(name, bytesField(join(integerField(both.subarray(0, half)), integerField(both.subarray(half)))));
    },
  };
}

function publicParts(key: KeyObject, names: readonly ("e" | "n" | "x" | "y")[]): Buffer[] {
  const parts = createPublicKey(key).export({ format: "jwk" });
  return names.map((name) => Buffer.from(parts[name] ?? "", "base64url"));
}

function join(...parts: readonly Uint8Array[]): Buffer {
  return Buffer.concat(parts);
}

// The private keys that ssh-keygen writes: https://github.com/openssh/openssh-portable/blob/master/PROTOCOL.key

import { createPrivateKey, type JsonWebKey, type KeyObject } from "node:crypto";
import { FieldReader } from "./wire.ts";

const magic = "openssh-key-v1\0";
const armour = /-----BEGIN OPENSSH PRIVATE KEY-----([\sA-Za-z0-9+/=]*)-----END OPENSSH PRIVATE KEY-----/;

/** As JSON web keys call them, and the bytes of a coordinate. */
const curves: Readonly<Record<string, readonly [name: string, bytes: number]>> = {
  nistp256: ["P-256", 32],
  nistp384: ["P-384", 48],
  nistp521: ["P-521", 66],
};

class Refusal extends Error {}

/** undefined where the text is something else; throws an Error that says what is wrong with the key. */
export function readOpensshKey(text: string): KeyObject | undefined {
  const [, base64] = armour.exec(text) ?? [];
  if (base64 === undefined) return undefined;
  try {
    return parse(Buffer.from(base64, "base64"));
  } catch (error) {
    throw error instanceof Refusal ? error : new Error("it is damaged");
  }
}

function parse(bytes: Buffer): KeyObject {
  if (bytes.toString("latin1", 0, magic.length) !== magic) throw new RangeError("the magic is another");
  const outer = new FieldReader(bytes.subarray(magic.length));
  const cipher = outer.text();
  if (cipher !== "none") throw new Refusal("it is encrypted");
  outer.text();
  outer.bytes();
  if (outer.number() !== 1) throw new Refusal("it holds several keys");
  outer.bytes();
  const fields = new FieldReader(outer.bytes());
  const [check, again] = [fields.number(), fields.number()];
  if (check !== again) throw new RangeError("the check differs");
  return createPrivateKey({ key: readFields(fields), format: "jwk" });
}

function readFields(fields: FieldReader): JsonWebKey {
  const type = fields.text();
  if (type === "ssh-ed25519") {
    const x = fields.bytes();
    return { kty: "OKP", crv: "Ed25519", x: encode(x), d: encode(fields.bytes().subarray(0, 32)) };
  }
  if (type === "ssh-rsa") {
    const [n, e, d, qi, p, q] = [0, 1, 2, 3, 4, 5].map(() => fields.integer());
    return rsaKey({ n, e, d, qi, p, q });
  }
  const [curve, bytes] = curves[/^ecdsa-sha2-(nistp\d+)$/.exec(type)?.[1] ?? ""] ?? [];
  if (curve === undefined || bytes === undefined) throw new Refusal(`keys of the type ${type} are not supported`);
  fields.text();
  const point = fields.bytes();
  const d = Buffer.concat([Buffer.alloc(bytes), fields.integer()]).subarray(-bytes);
  return { kty: "EC", crv: curve, x: encode(point.subarray(1, 1 + bytes)), y: encode(point.subarray(1 + bytes)), d: encode(d) };
}

/** The two exponents that the format leaves out are computed. */
function rsaKey(numbers: Readonly<Record<"n" | "e" | "d" | "qi" | "p" | "q", Buffer | undefined>>): JsonWebKey {
  const exponent = (prime: Buffer | undefined) => fromNumber(toNumber(numbers.d) % (toNumber(prime) - 1n));
  const parts = Object.entries({ ...numbers, dp: exponent(numbers.p), dq: exponent(numbers.q) });
  return { kty: "RSA", ...Object.fromEntries(parts.map(([name, bytes]) => [name, encode(bytes ?? Buffer.alloc(0))])) };
}

function toNumber(bytes: Buffer | undefined): bigint {
  return BigInt(`0x${bytes?.toString("hex") || "0"}`);
}

function fromNumber(value: bigint): Buffer {
  const hex = value.toString(16);
  return Buffer.from(hex.length % 2 === 0 ? hex : `0${hex}`, "hex");
}

function encode(bytes: Buffer): string {
  return bytes.toString("base64url");
}

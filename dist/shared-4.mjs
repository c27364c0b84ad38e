// src/agent/wire.ts
var FieldReader = class {
  #bytes;
  #at = 0;
  constructor(bytes) {
    this.#bytes = bytes;
  }
  number() {
    const value = this.#bytes.readUInt32BE(this.#at);
    this.#at += 4;
    return value;
  }
  bytes() {
    const size = this.number();
    if (size > this.#bytes.length - this.#at) throw new RangeError("the bytes end in a field");
    this.#at += size;
    return this.#bytes.subarray(this.#at - size, this.#at);
  }
  text() {
    return this.bytes().toString("latin1");
  }
  /** An unsigned integer, without leading zeros. */
  integer() {
    return withoutZeros(this.bytes());
  }
};
function numberField(value) {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32BE(value);
  return bytes;
}
function bytesField(value) {
  const bytes = typeof value === "string" ? Buffer.from(value, "latin1") : value;
  return Buffer.concat([numberField(bytes.length), bytes]);
}
function integerField(value) {
  const bytes = withoutZeros(value);
  return bytesField((bytes[0] ?? 0) >= 128 ? Buffer.concat([Buffer.alloc(1), bytes]) : bytes);
}
function withoutZeros(bytes) {
  const first = bytes.findIndex((byte) => byte !== 0);
  return first < 0 ? Buffer.alloc(0) : bytes.subarray(first);
}

// src/agent/openssh-key.ts
var { createPrivateKey } = process.getBuiltinModule("node:crypto");
var magic = "openssh-key-v1\0";
var armour = /-----BEGIN OPENSSH PRIVATE KEY-----([\sA-Za-z0-9+/=]*)-----END OPENSSH PRIVATE KEY-----/;
var curves = {
  nistp256: ["P-256", 32],
  nistp384: ["P-384", 48],
  nistp521: ["P-521", 66]
};
var Refusal = class extends Error {
};
function readOpensshKey(text) {
  const [, base64] = armour.exec(text) ?? [];
  if (base64 === void 0) return void 0;
  try {
    return parse(Buffer.from(base64, "base64"));
  } catch (error) {
    throw error instanceof Refusal ? error : new Error("it is damaged");
  }
}
function parse(bytes) {
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
function readFields(fields) {
  const type = fields.text();
  if (type === "ssh-ed25519") {
    const x = fields.bytes();
    return { kty: "OKP", crv: "Ed25519", x: encode(x), d: encode(fields.bytes().subarray(0, 32)) };
  }
  if (type === "ssh-rsa") {
    const [n, e, d2, qi, p, q] = [0, 1, 2, 3, 4, 5].map(() => fields.integer());
    return rsaKey({ n, e, d: d2, qi, p, q });
  }
  const [curve, bytes] = curves[/^ecdsa-sha2-(nistp\d+)$/.exec(type)?.[1] ?? ""] ?? [];
  if (curve === void 0 || bytes === void 0) throw new Refusal(`keys of the type ${type} are not supported`);
  fields.text();
  const point = fields.bytes();
  const d = Buffer.concat([Buffer.alloc(bytes), fields.integer()]).subarray(-bytes);
  return { kty: "EC", crv: curve, x: encode(point.subarray(1, 1 + bytes)), y: encode(point.subarray(1 + bytes)), d: encode(d) };
}
function rsaKey(numbers) {
  const exponent = (prime) => fromNumber(toNumber(numbers.d) % (toNumber(prime) - 1n));
  const parts = Object.entries({ ...numbers, dp: exponent(numbers.p), dq: exponent(numbers.q) });
  return { kty: "RSA", ...Object.fromEntries(parts.map(([name, bytes]) => [name, encode(bytes ?? Buffer.alloc(0))])) };
}
function toNumber(bytes) {
  return BigInt(`0x${bytes?.toString("hex") || "0"}`);
}
function fromNumber(value) {
  const hex = value.toString(16);
  return Buffer.from(hex.length % 2 === 0 ? hex : `0${hex}`, "hex");
}
function encode(bytes) {
  return bytes.toString("base64url");
}

// src/agent/private-key.ts
var { createPrivateKey: createPrivateKey2, createPublicKey, sign } = process.getBuiltinModule("node:crypto");
var [sha256Flag, sha512Flag] = [2, 4];
var curves2 = {
  "P-256": ["nistp256", "sha256"],
  "P-384": ["nistp384", "sha384"],
  "P-521": ["nistp521", "sha512"]
};
function readPrivateKey(bytes) {
  const text = Buffer.from(bytes).toString("latin1");
  if (/-----BEGIN ENCRYPTED PRIVATE KEY-----|^Proc-Type: 4,ENCRYPTED/m.test(text)) throw new Error("it is encrypted");
  const key = readOpensshKey(text) ?? readPem(text);
  const type = key.asymmetricKeyType;
  if (type === "ed25519") return ed25519Key(key);
  if (type === "rsa") return rsaKey2(key);
  if (type === "ec") return ecdsaKey(key);
  throw new Error(`keys of the type ${type} are not supported`);
}
function readPem(text) {
  try {
    return createPrivateKey2(text);
  } catch {
    throw new Error("it is no private key");
  }
}
function ed25519Key(key) {
  const name = "ssh-ed25519";
  const [x = ""] = publicParts(key, ["x"]);
  return {
    blob: join(bytesField(name), bytesField(x)),
    sign: (data) => join(bytesField(name), bytesField(sign(null, data, key)))
  };
}
function rsaKey2(key) {
  const [e, n] = publicParts(key, ["e", "n"]);
  return {
    blob: join(bytesField("ssh-rsa"), integerField(e ?? Buffer.alloc(0)), integerField(n ?? Buffer.alloc(0))),
    sign(data, flags) {
      const [name, hash] = (flags & sha512Flag) !== 0 ? ["rsa-sha2-512", "sha512"] : (flags & sha256Flag) !== 0 ? ["rsa-sha2-256", "sha256"] : ["ssh-rsa", "sha1"];
      return join(bytesField(name), bytesField(sign(hash, data, key)));
    }
  };
}
function ecdsaKey(key) {
  const [curve, hash] = curves2[createPublicKey(key).export({ format: "jwk" }).crv ?? ""] ?? [];
  if (curve === void 0 || hash === void 0) throw new Error("its curve is not supported");
  const [x = Buffer.alloc(0), y = Buffer.alloc(0)] = publicParts(key, ["x", "y"]);
  const name = bytesField(`ecdsa-sha2-${curve}`);
  return {
    blob: join(name, bytesField(curve), bytesField(join(Buffer.from([4]), x, y))),
    sign(data) {
      const both = sign(hash, data, { key, dsaEncoding: "ieee-p1363" });
      const half = both.length / 2;
      return join(name, bytesField(join(integerField(both.subarray(0, half)), integerField(both.subarray(half)))));
    }
  };
}
function publicParts(key, names) {
  const parts = createPublicKey(key).export({ format: "jwk" });
  return names.map((name) => Buffer.from(parts[name] ?? "", "base64url"));
}
function join(...parts) {
  return Buffer.concat(parts);
}

// src/agent/listen.ts
var { chmod, chown, open } = process.getBuiltinModule("node:fs/promises");
var { createServer } = process.getBuiltinModule("node:net");
var { join: join2 } = process.getBuiltinModule("node:path");
var maxMessage = 1 << 18;
var longestPath = 107;
async function listenAt(directory, name, { mode, uid = -1, gid = -1, onClient }) {
  const clients = /* @__PURE__ */ new Set();
  const server = createServer((client) => {
    clients.add(client);
    client.on("close", () => clients.delete(client));
    onClient(client);
  });
  const handle = await open(directory, "r");
  const path = join2(directory, name);
  try {
    await new Promise((resolve, reject) => {
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
    }
  };
}
function onMessages(client, listener) {
  let rest = Buffer.alloc(0);
  client.on("data", (chunk) => {
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

// src/agent/agent.ts
var messages = { failure: 5, listKeys: 11, keys: 12, sign: 13, signature: 14 };
var failure = Buffer.concat([numberField(1), Buffer.from([messages.failure])]);
function openAgent(keys, directory, name) {
  return listenAt(directory, name, {
    mode: 384,
    onClient(client) {
      client.on("error", () => client.destroy());
      onMessages(client, (message) => client.write(answer(message, keys)));
    }
  });
}
function answer(message, keys) {
  try {
    if (message[4] === messages.listKeys) return list(keys);
    if (message[4] === messages.sign) return sign2(new FieldReader(message.subarray(5)), keys);
  } catch {
  }
  return failure;
}
function list(keys) {
  const entries = keys.flatMap(({ blob }) => [bytesField(blob), bytesField("")]);
  return bytesField(Buffer.concat([Buffer.from([messages.keys]), numberField(keys.length), ...entries]));
}
function sign2(request, keys) {
  const [blob, data, flags] = [request.bytes(), request.bytes(), request.number()];
  const key = keys.find((one) => one.blob.equals(blob));
  if (key === void 0) return failure;
  return bytesField(Buffer.concat([Buffer.from([messages.signature]), bytesField(key.sign(data, flags))]));
}

export {
  listenAt,
  onMessages,
  readPrivateKey,
  messages,
  failure,
  openAgent
};

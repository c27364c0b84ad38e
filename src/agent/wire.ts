// The bytes that SSH keys, signatures and agents' messages are made of: https://www.rfc-editor.org/rfc/rfc4251#section-5

/** Reads fields one after the other; throws a RangeError where the bytes end too soon. */
export class FieldReader {
  readonly #bytes: Buffer;
  #at = 0;

  constructor(bytes: Buffer) {
    this.#bytes = bytes;
  }

  number(): number {
    const value = this.#bytes.readUInt32BE(this.#at);
    this.#at += 4;
    return value;
  }

  bytes(): Buffer {
    const size = this.number();
    if (size > this.#bytes.length - this.#at) throw new RangeError("the bytes end in a field");
    this.#at += size;
    return this.#bytes.subarray(this.#at - size, this.#at);
  }

  text(): string {
    return this.bytes().toString("latin1");
  }

  /** An unsigned integer, without leading zeros. */
  integer(): Buffer {
    return withoutZeros(this.bytes());
  }
}

export function numberField(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32BE(value);
  return bytes;
}

export function bytesField(value: Uint8Array | string): Buffer {
  const bytes = typeof value === "string" ? Buffer.from(value, "latin1") : value;
  return Buffer.concat([numberField(bytes.length), bytes]);
}

/** Of an unsigned integer: one whose first bit is set would be negative without a zero before it. */
export function integerField(value: Buffer): Buffer {
  const bytes = withoutZeros(value);
  return bytesField((bytes[0] ?? 0) >= 0x80 ? Buffer.concat([Buffer.alloc(1), bytes]) : bytes);
}

function withoutZeros(bytes: Buffer): Buffer {
  const first = bytes.findIndex((byte) => byte !== 0);
  return first < 0 ? Buffer.alloc(0) : bytes.subarray(first);
}

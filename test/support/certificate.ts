// Certificates that tests make on the spot.

import { execFile } from "node:child_process";
import { join } from "node:path";
import { promisify } from "node:util";

/** Self-signed, for 127.0.0.1 and localhost, a day long; gives the certificate's path, with `key.pem` beside it. */
export async function makeCertificate(directory: string): Promise<string> {
  const certificate = join(directory, "certificate.pem");
  await promisify(execFile)("openssl", [
    ...["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "1"],
    ...["-subj", "/CN=slipway test", "-addext", "subjectAltName=IP:127.0.0.1,DNS:localhost,DNS:registry.test"],
    ...["-keyout", join(directory, "key.pem"), "-out", certificate],
  ]);
  return certificate;
}

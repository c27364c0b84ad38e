// Runs docker's credential helpers: https://github.com/docker/docker-credential-helpers

import { spawn } from "node:child_process";
import type { Credentials } from "./credentials.ts";

const timeoutMs = 60_000;
const outputLimit = 1024 * 1024;

/** What `docker-credential-NAME get` answers for a server; undefined when it has nothing. */
export async function askHelper(
  name: string,
  server: string,
  environment: Readonly<Record<string, string>> | undefined,
): Promise<Credentials | undefined> {
  const program = `docker-credential-${name}`;
  const { code, output } = await runHelper(program, server, environment);
  if (code !== 0) {
    if (/credentials not found|no credentials|not logged in/i.test(output)) return undefined;
    throw new Error(`Cannot get credentials for "${server}": ${program} ended with code ${code}: ${output.trim().slice(0, 300)}`);
  }
  const answer = parseAnswer(output, program, server);
  if (!answer.Secret) return undefined;
  const described = `${answer.Username && answer.Username !== "<token>" ? `user "${answer.Username}"` : "a token"} from ${program}`;
  return answer.Username === "<token>"
    ? { kind: "identity", token: answer.Secret, described }
    : { kind: "password", username: answer.Username ?? "", password: answer.Secret, described };
}

function parseAnswer(output: string, program: string, server: string): { Username?: string; Secret?: string } {
  try {
    return JSON.parse(output) as { Username?: string; Secret?: string };
  } catch {
    throw new SyntaxError(`Cannot get credentials for "${server}": what ${program} wrote is no JSON`);
  }
}

function runHelper(
  program: string,
  server: string,
  environment: Readonly<Record<string, string>> | undefined,
): Promise<{ code: number | null; output: string }> {
  return new Promise((resolve, reject) => {
    const child = spawn(program, ["get"], {
      stdio: ["pipe", "pipe", "pipe"],
      ...(environment ? { env: { ...environment } } : {}),
    });
    // Not spawn's own timeout: it outlives a program that does not start.
    const timer = setTimeout(() => child.kill("SIGKILL"), timeoutMs).unref();
    let output = "";
    let errors = "";
    child.stdout.setEncoding("utf8").on("data", (text: string) => {
      output += text;
      if (output.length > outputLimit) child.kill("SIGKILL");
    });
    child.stderr.setEncoding("utf8").on("data", (text: string) => {
      errors = `${errors}${text}`.slice(0, outputLimit);
    });
    child.on("error", (cause) =>
      reject(new Error(`Cannot get credentials for "${server}": ${program} does not start: ${cause.message}`, { cause })),
    );
    child.on("close", (code) => {
      clearTimeout(timer);
      resolve({ code, output: code === 0 ? output : `${output}${errors}` });
    });
    child.stdin.on("error", () => {});
    child.stdin.end(`${server}\n`);
  });
}

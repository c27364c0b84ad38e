// The command line as a whole: what is printed where, and the exit code.

import assert from "node:assert/strict";
import test from "node:test";
import { fileURLToPath } from "node:url";
import { BuildFailure } from "../../src/build/failure.ts";
import { runShell } from "../../src/host/shell.ts";
import { type Build, coreWith, openTestSurroundings } from "./surroundings.ts";

const emptyBuild: Build = async () => ({ written: [] });

test("version says the version first", async () => {
  for (const args of [["version"], ["--version"], ["version", "--force"]]) {
    const surroundings = openTestSurroundings(args);
    assert.equal(await runShell(coreWith({}), surroundings), 0);
    assert.match(surroundings.out.join(""), /^slipway \d+\.\d+\.\d+\n/);
  }
});

test("--help, -h and help print the usage", async (t) => {
  for (const args of [["--help"], ["-h"], ["help"], ["build", "--help"], ["--no-push", "-h"]]) {
    const surroundings = openTestSurroundings(args);
    assert.equal(await runShell(coreWith({}), surroundings), 0);
    const text = surroundings.out.join("");
    t.assert.fileSnapshot(text, fileURLToPath(new URL("fixtures/help.txt", import.meta.url)), { serializers: [(value) => value] });
  }
});

const refused: readonly [args: string[], error: string][] = [
  [[], "you must provide --destination, or use --no-push"],
  [["build"], "you must provide --destination, or use --no-push"],
  [["--no-puhs"], "unknown flag: --no-puhs; did you mean --no-push?"],
  [["biuld", "--no-push"], 'unknown command "biuld"; did you mean build?'],
  [["."], 'unknown command "."; see slipway --help'],
  [["--no-push", "build"], 'unexpected argument "build": every input is given by a flag'],
  [["--no-push", "--cache"], "if using cache with --no-push, specify cache repo with --cache-repo"],
];

for (const [args, error] of refused) {
  test(`${JSON.stringify(args)} ends with 1 and one line`, async () => {
    const surroundings = openTestSurroundings(args);
    assert.equal(await runShell(coreWith({}), surroundings), 1);
    assert.equal(surroundings.err.join(""), `Error: ${error}\n`);
    assert.deepEqual(surroundings.out, []);
  });
}

test("an error before the build starts is called a bug, with its stack", async () => {
  const surroundings = openTestSurroundings(["--no-push"]);
  const fileExists = () => {
    throw new TypeError("x is undefined");
  };
  assert.equal(await runShell(coreWith({}), { ...surroundings, env: { HOME: "/root" }, fileExists }), 1);
  assert.match(
    surroundings.err.join(""),
    /^TypeError: x is undefined\n +at [\s\S]*\nerror building image: this is a bug in Slipway: x is undefined\n$/,
  );
});

test("a build that succeeds ends with 0 and leaves no private state", async () => {
  const surroundings = openTestSurroundings(["--no-push"]);
  assert.equal(await runShell(coreWith({ build: emptyBuild }), surroundings), 0);
  assert.deepEqual(surroundings.removed, ["/tmp/slipway-abcdef"]);
  assert.deepEqual(surroundings.out, []);
});

test("a given state directory stays", async () => {
  const surroundings = openTestSurroundings(["--no-push", "--state-dir=/s"]);
  assert.equal(await runShell(coreWith({ build: emptyBuild }), surroundings), 0);
  assert.deepEqual(surroundings.removed, []);
});

test("a dry run's plan goes to standard output, harmless", async () => {
  const surroundings = openTestSurroundings(["--dryrun"]);
  assert.equal(await runShell(coreWith({ build: async () => ({ written: [], plan: "FROM a\n  RUN echo ##[error]x" }) }), surroundings), 0);
  assert.equal(surroundings.out.join(""), "FROM a\n  RUN echo ## [error]x\n");
});

test("a failure ends with its exit code and its headline last", async () => {
  const surroundings = openTestSurroundings(["--no-push"]);
  const build: Build = async () => {
    throw new BuildFailure("it broke", { exitCode: 7, cause: new Error("deep reason") });
  };
  assert.equal(await runShell(coreWith({ build }), surroundings), 7);
  assert.equal(surroundings.err.join(""), "caused by: deep reason\nerror building image: it broke\n");
  assert.deepEqual(surroundings.removed, ["/tmp/slipway-abcdef"]);
});

test("passwords of the environment are in no output", async () => {
  const env = { DOCKER_AUTH_CONFIG: JSON.stringify({ auths: { r: { auth: Buffer.from("u:hunter2!").toString("base64") } } }) };
  const surroundings = openTestSurroundings(["--dryrun"], { env });
  const build: Build = async (_, { report }) => {
    report.emit({ kind: "notice", text: "it is hunter2!" });
    return { written: [], plan: `RUN echo ${Buffer.from("u:hunter2!").toString("base64")}` };
  };
  assert.equal(await runShell(coreWith({ build }), surroundings), 0);
  assert.equal(surroundings.err.join(""), "it is ***\n");
  assert.equal(surroundings.out.join(""), "RUN echo ***\n");
});

test("the log is live on a terminal, plain where asked or elsewhere", async () => {
  const rows: readonly [args: string[], env: Record<string, string>, terminal: boolean, log: string][] = [
    [[], {}, true, "\x1b[33mWARN x\x1b[0m\n"],
    [[], {}, false, "WARN x\n"],
    [[], { NO_COLOR: "1" }, true, "WARN x\n"],
    [["--log-format=color"], { NO_COLOR: "1" }, false, "\x1b[33mWARN x\x1b[0m\n"],
    [["--log-format=text"], {}, true, "WARN x\n"],
    [["--log-format=json"], {}, true, '{"level":"warning","msg":"x","time":"2026-11-21T07:00:00.000Z"}\n'],
    [["--log-timestamp"], {}, false, "2026-11-21T07:00:00.000Z WARN x\n"],
    [["--verbosity=error"], {}, false, ""],
  ];
  for (const [args, env, terminal, log] of rows) {
    const surroundings = openTestSurroundings(["--no-push", ...args], { env, terminal });
    const build: Build = async (_, { report }) => {
      report.emit({ kind: "warning", text: "x" });
      return { written: [] };
    };
    assert.equal(await runShell(coreWith({ build }), surroundings), 0);
    assert.equal(surroundings.err.join(""), log);
  }
});

/** Ends when it is aborted, after some seconds of cleaning up. */
function slowBuild(cleanUp: () => void): Build {
  return (_, { signal }) =>
    new Promise((_resolve, reject) => {
      signal.addEventListener("abort", () => {
        cleanUp();
        reject(signal.reason);
      });
    });
}

test("a signal aborts the build, and the exit code is the signal's", async () => {
  for (const [signal, code] of [
    ["SIGINT", 130],
    ["SIGTERM", 143],
    ["SIGHUP", 129],
  ] as const) {
    const surroundings = openTestSurroundings(["--no-push"]);
    const ended = runShell(coreWith({ build: slowBuild(() => {}) }), surroundings);
    surroundings.trouble({ signal });
    assert.equal(await ended, code);
    assert.equal(surroundings.err.join(""), `error building image: interrupted by ${signal}\n`);
    assert.deepEqual([surroundings.removed, surroundings.exits], [["/tmp/slipway-abcdef"], []]);
  }
});

test("a second signal, or five seconds of cleaning up, end the process at once", async () => {
  const twice = openTestSurroundings(["--no-push"]);
  const first = runShell(coreWith({ build: slowBuild(() => twice.trouble({ signal: "SIGTERM" })) }), twice);
  twice.trouble({ signal: "SIGINT" });
  await first;
  assert.deepEqual(twice.exits, [130]);

  const slow = openTestSurroundings(["--no-push"]);
  const second = runShell(coreWith({ build: slowBuild(() => slow.clock.pass(5)) }), slow);
  slow.trouble({ signal: "SIGTERM" });
  await second;
  assert.deepEqual(slow.exits, [143]);
  slow.clock.pass(60);
  assert.deepEqual(slow.exits, [143]);
});

test("an error that nobody caught aborts the build and is called a bug", async () => {
  const surroundings = openTestSurroundings(["--no-push"]);
  const ended = runShell(coreWith({ build: slowBuild(() => {}) }), surroundings);
  surroundings.trouble({ error: new TypeError("x is undefined") });
  assert.equal(await ended, 1);
  assert.match(surroundings.err.join(""), /^hint: please report it.*\nerror building image: this is a bug in Slipway: x is undefined\n$/);
});

test("a build that has succeeded all the same ends with 0", async () => {
  const surroundings = openTestSurroundings(["--no-push"]);
  const build: Build = async () => {
    surroundings.trouble({ signal: "SIGTERM" });
    return { written: [] };
  };
  assert.equal(await runShell(coreWith({ build }), surroundings), 0);
});

test("a signal after the work is over ends the process with the work's own code", async () => {
  const surroundings = openTestSurroundings(["--no-push"]);
  assert.equal(await runShell(coreWith({ build: emptyBuild }), surroundings), 0);
  surroundings.trouble({ signal: "SIGTERM" });
  assert.deepEqual(surroundings.exits, [0]);
});

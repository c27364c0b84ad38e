// What the builder itself puts into a root for a command, none of which may get into a layer.

import assert from "node:assert/strict";
import { test } from "node:test";
import { mountPoints, openWorkbench } from "./workbench.ts";

const bench = openWorkbench();

const mounts = [
  "--mount=type=cache,target=/cache/deep",
  "--mount=type=tmpfs,target=/scratch",
  "--mount=type=secret,id=token",
  "--mount=type=secret,id=token,target=/opt/secret/token",
  "--mount=type=bind,target=/src/context",
  "--mount=type=bind,source=Dockerfile,target=/lone",
].join(" ");

for (const sandbox of ["ns", "chroot", "chroot-bare"] as const) {
  test(`7.54 a command that changes nothing leaves the directories /proc and /sys where the image lacks them, and nothing else (${sandbox})`, async (t) => {
    if (!(await bench.shell(t, "bare", []))) return;
    const dockerfile =
      "FROM bare\nRUN test -e /dev/null && test -d /proc && test -s /etc/resolv.conf && test -s /etc/hosts\nRUN ls /dev/shm /dev/pts";
    const built = await bench.build({ dockerfile, request: { sandbox } });
    assert.deepEqual(await built.layer(-2), ["d 755 0:0 proc", "d 755 0:0 sys"]);
    assert.deepEqual(await built.layer(-1), []);
  });

  test(`7.54 neither files of the builder, nor mount targets and the directories on the way to them (${sandbox})`, async (t) => {
    if (!(await bench.shell(t, "with-opt", [mountPoints, "d 750 7:8 opt\nd 711 7:8 src"]))) return;
    const write =
      "echo x >/dev/x; echo x >/cache/deep/x; echo x >/scratch/x; test -s /opt/secret/token -a -s /lone -a -s /src/context/Dockerfile";
    const script = `ls -d /run/secrets /etc/hosts /etc/hostname && ${write}`;
    const dockerfile = `FROM with-opt\nRUN ${mounts} ${script}\nRUN echo kept >/src/f`;
    const built = await bench.build({ dockerfile, request: { sandbox, secrets: new Map([["token", Buffer.from("t")]]) } });
    assert.deepEqual(await built.layer(-2), []);
    assert.deepEqual(await built.layer(-1), ["d 711 7:8 src", "f 644 0:0 src/f kept"]);
  });

  test(`7.54 the times of directories with a mount's target stay, and what a command writes beside it is kept (${sandbox})`, async (t) => {
    if (!(await bench.shell(t, "with-dated", [mountPoints, "d 755 0:0 opt\nd 755 0:0 opt/d"]))) return;
    const look = "stat -c %Y /opt /opt/d";
    const dockerfile = `FROM with-dated\nRUN ${look}\nRUN --mount=type=cache,target=/opt/d/cache true\nRUN ${look}\nRUN --mount=type=cache,target=/opt/made/cache echo x >/opt/made/own`;
    const built = await bench.build({ dockerfile, request: { sandbox } });
    assert.equal(built.output, "1000\n1000\n1000\n1000\n");
    assert.deepEqual(await built.layer(-1), ["d 755 0:0 opt", "d 755 0:0 opt/made", "f 644 0:0 opt/made/own x"]);
  });

  test(`7.54 what the image has at those names stays, and a command's own writes to it do not count (${sandbox})`, async (t) => {
    const own = "d 755 0:0 etc\nf 600 3:4 etc/resolv.conf mine\nf 644 0:0 etc/hosts mine\nf 644 0:0 etc/hostname mine";
    if (!(await bench.shell(t, "with-names", [mountPoints, own]))) return;
    const dockerfile =
      "FROM with-names\nRUN echo x >>/etc/hosts; echo x >>/etc/resolv.conf; touch /etc/new\nCOPY --from=with-names /etc/hosts /copied";
    const built = await bench.build({ dockerfile, request: { sandbox } });
    assert.deepEqual(await built.layer(-2), ["d 755 0:0 etc", "f 644 0:0 etc/new"]);
    assert.deepEqual(await built.layer(-1), ["f 644 0:0 copied mine"]);
  });
}

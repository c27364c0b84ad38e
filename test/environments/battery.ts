// What is asked of every sandbox in every environment: steps of Dockerfiles, each a RUN that goes on when it fails and says so.

/** What an image must have at a path; what is left out may be anything. */
export interface Left {
  /** `d`, `f`, `p`, `c`, as test/conformance/flatten.py names them. */
  readonly t?: string;
  /** `0o755`. */
  readonly m?: string;
  /** `uid:gid`. */
  readonly o?: string;
  /** Hexadecimal value of `security.capability`. */
  readonly capability?: string;
}

export interface Step {
  readonly name: string;
  /** For `sh -e`; or for `bash -e`. */
  readonly script: string;
  readonly shell?: "bash";
  /** What of it must be in the layers, by path. */
  readonly leaves?: Readonly<Record<string, Left>>;
}

export interface Chain {
  readonly name: ChainName;
  /** Name of a base. */
  readonly base: string;
  readonly steps: readonly Step[];
}

export type ChainName = "packages" | "programs";

/** CAP_NET_BIND_SERVICE, permitted and effective, as files have it that know of no user namespace. */
const bindService = "0100000200040000000000000000000000000000";

const packages: readonly Step[] = [
  { name: "ids", script: "test $(id -u) = 0; test $(id -g) = 0; test $(whoami) = root; test $(stat -c %u:%g /etc/passwd) = 0:0" },
  {
    name: "/proc",
    script: "grep -q ^Name:.grep /proc/self/status; test $(cat /proc/$$/comm) = sh; readlink /proc/self/exe | grep -q readlink",
  },
  { name: "devices", script: "echo x >/dev/null; test $(head -c 9 /dev/urandom | wc -c) = 9; echo x >/dev/shm/x; rm /dev/shm/x" },
  { name: "/dev/fd", script: "echo a | cat /dev/fd/0 | grep -q a; echo b >/dev/stdout" },
  { name: "pty", script: "script -qec 'tty; echo in a terminal' /dev/null </dev/null | grep -q /dev/pts/" },
  { name: "/sys", script: "test -e /sys/class/net/lo/mtu; ls /sys/kernel >/dev/null" },
  { name: "apt-get update", script: "apt-get update" },
  {
    name: "packages",
    script: `apt-get install -y --no-install-recommends hello sudo iputils-ping libcap2-bin cron; hello; dpkg --verify hello
      test $(dpkg-query -W -f '\${db:Status-Abbrev}' cron sudo hello | tr -d ' ') = iiiiii; test -u /usr/bin/sudo`,
    leaves: { "/usr/bin/hello": { t: "f", m: "0o755", o: "0:0" }, "/usr/bin/sudo": { t: "f", m: "0o4755", o: "0:0" } },
  },
  {
    name: "crontab of a group",
    script: "test $(stat -c %G:%a /usr/bin/crontab) = crontab:2755",
    leaves: { "/usr/bin/crontab": { t: "f", m: "0o2755" } },
  },
  { name: "chown", script: "touch /f; chown 33:34 /f; test $(stat -c %u:%g /f) = 33:34", leaves: { "/f": { t: "f", o: "33:34" } } },
  {
    name: "useradd",
    script: "useradd -m -u 1234 app; test $(id -u app) = 1234; test $(stat -c %u /home/app) = 1234",
    leaves: { "/home/app": { t: "d", o: "1234:1234" }, "/home/app/.profile": { o: "1234:1234" } },
  },
  {
    name: "su",
    script: "test $(su app -c 'id -u') = 1234; su app -c 'echo mine >/home/app/mine'; test $(stat -c %u /home/app/mine) = 1234",
    leaves: { "/home/app/mine": { t: "f", o: "1234:1234" } },
  },
  { name: "setpriv", script: "test $(setpriv --reuid=33 --regid=34 --clear-groups id -u) = 33" },
  { name: "sudo of root's", script: "test $(sudo -u app id -u) = 1234" },
  { name: "sudo of a user's", script: "echo 'app ALL=(ALL) NOPASSWD: ALL' >/etc/sudoers.d/app; test $(su app -c 'sudo -n id -u') = 0" },
  {
    name: "setcap",
    script: "cp /usr/bin/hello /bound; setcap cap_net_bind_service+ep /bound; getcap /bound | grep -q cap_net_bind_service=ep",
    leaves: { "/bound": { t: "f", capability: bindService } },
  },
  {
    name: "a file's capability",
    script: "cp /bin/cat /kept; setcap cap_net_raw+ep /kept; su app -c '/kept /proc/self/status' | grep -q '^CapEff:.*2000$'",
  },
  { name: "mkfifo", script: "mkfifo /pipe; (echo through >/pipe &); test $(cat /pipe) = through", leaves: { "/pipe": { t: "p" } } },
  { name: "mknod", script: "mknod /zero c 1 5", leaves: { "/zero": { t: "c" } } },
  {
    name: "a directory anew",
    script: 'rm -rf /usr/share/doc /usr/lib/apt/solvers; mkdir -p /usr/lib/apt/solvers; test -z "$(ls /usr/lib/apt/solvers)"',
  },
  { name: "no mount(8)", script: "! mount -t tmpfs none /mnt" },
];

const programs: readonly Step[] = [
  {
    name: "bash <()",
    shell: "bash",
    script: "test \"$(cat <(echo one) <(echo two) | tr '\\n' ' ')\" = 'one two '; echo x > >(cat >/dev/null); wait",
  },
  { name: "ps", script: "ps aux | grep -q 'ps aux'; free >/dev/null; df / >/dev/null" },
  {
    name: "python",
    script:
      'python3 -c \'import multiprocessing, os, ssl, subprocess, tempfile\nwith multiprocessing.Pool(4) as p: assert p.map(abs, range(-9, 0)) == list(range(9, 0, -1))\nassert subprocess.check_output(["id", "-u"]) == b"0\\n"\nssl.create_default_context(); os.cpu_count()\'',
  },
  {
    name: "node",
    script:
      'node -e \'const {execFileSync: x} = require("child_process"); const {Worker} = require("worker_threads"); if (x(process.execPath, ["-p", "6*7"]) != "42\\n") throw 1; new Worker("require(`os`).cpus(); process.exit(0)", {eval: true}).on("exit", (c) => process.exit(c))\'',
  },
  {
    name: "git",
    script:
      "git init -q /r; cd /r; echo a >a; git add a; git -c user.name=a -c user.email=a@b commit -qm a; git clone -q /r /s; cd /s; git fsck; test $(git log --oneline | wc -l) = 1; git gc -q",
  },
  {
    name: "java",
    script:
      "java -Xmx64m -XshowSettings:all -version 2>&1 | grep -q 'java.home = /usr/lib/jvm'; java -Xmx64m --list-modules | grep -q java.base",
  },
  { name: "static Go", script: "/usr/local/bin/static /etc/os-release" },
  { name: "a package of Java's", script: "DEBIAN_FRONTEND=noninteractive dpkg-reconfigure openjdk-17-jre-headless" },
];

export const chains: readonly Chain[] = [
  { name: "packages", base: "packages", steps: packages },
  { name: "programs", base: "programs", steps: programs },
];

/** So many stages with a RUN each, side by side as far as the sandbox lets them. */
export const parallel = { name: "32 parallel", count: 32 } as const;

export const stepNames: readonly string[] = [...chains.flatMap(({ steps }) => steps.map(({ name }) => name)), parallel.name];

/** Words that are found in the log where a step ends. */
const mark = "@@";

/** The Dockerfile of a chain, and the scripts beside it. */
export function writeChain({ base, steps }: Chain): Readonly<Record<string, string>> {
  const lines = steps.map(({ name, shell = "sh" }, i) => `RUN ${shell} -e /steps/${i} 2>&1; code=$?; echo "${mark} $code ${name}"`);
  const scripts = steps.map(({ script }, i) => [`steps/${i}`, `${script}\n`] as const);
  return { Dockerfile: [`FROM ${base}`, "COPY steps /steps", ...lines, ""].join("\n"), ...Object.fromEntries(scripts) };
}

export function writeParallel(): Readonly<Record<string, string>> {
  const numbers = Array.from({ length: parallel.count }, (_, i) => i + 1);
  const stages = numbers.flatMap((n) => [`FROM busybox AS s${n}`, `RUN sleep 0.1; echo ${n} >/s${n}`]);
  const copies = numbers.map((n) => `COPY --from=s${n} /s${n} /`);
  return { Dockerfile: [...stages, "FROM scratch", ...copies, ""].join("\n") };
}

/** Names of steps that ended, and whether they ended well. */
export function readMarks(log: string): ReadonlyMap<string, boolean> {
  return new Map([...log.matchAll(/ @@ (\d+) (.+)$/gm)].map(([, code, name = ""]) => [name, code === "0"]));
}

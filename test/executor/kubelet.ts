// Starts the pods of a manifest as a kubelet does, with containers of the executor image.

import { chmodSync, mkdirSync, readFileSync, symlinkSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { parseAllDocuments } from "yaml";
import type { Ended } from "../support/ended.ts";
import { type Cluster, type Pod, runPod } from "./cluster.ts";

/** What a cluster has beside the manifest's own objects, by name: files of secrets and config maps, directories of claims. */
export interface Objects {
  readonly secrets?: Readonly<Record<string, Files>>;
  readonly configMaps?: Readonly<Record<string, Files>>;
  readonly claims?: Readonly<Record<string, string>>;
}

type Files = Readonly<Record<string, string>>;

export interface EndedContainer extends Ended {
  /** POD/CONTAINER. */
  readonly name: string;
  /** What it wrote to `/dev/termination-log`. */
  readonly message: string;
}

interface Manifest {
  readonly kind: string;
  readonly metadata: { readonly name: string };
  readonly data?: Files;
  readonly spec?: PodSpec;
}

interface PodSpec {
  readonly securityContext?: SecurityContext;
  readonly initContainers?: readonly Container[];
  readonly containers: readonly Container[];
  readonly volumes?: readonly Volume[];
}

interface Container {
  readonly name: string;
  readonly image: string;
  readonly command?: readonly string[];
  readonly args?: readonly string[];
  readonly env?: readonly Variable[];
  readonly securityContext?: SecurityContext;
  readonly volumeMounts?: readonly {
    readonly name: string;
    readonly mountPath: string;
    readonly subPath?: string;
    readonly readOnly?: boolean;
  }[];
}

interface Variable {
  readonly name: string;
  readonly value?: string;
  readonly valueFrom?: { readonly secretKeyRef: { readonly name: string; readonly key: string } };
}

interface SecurityContext {
  readonly runAsUser?: number;
  readonly allowPrivilegeEscalation?: boolean;
  readonly readOnlyRootFilesystem?: boolean;
  readonly seccompProfile?: { readonly type: string };
  readonly capabilities?: { readonly drop: readonly string[]; readonly add?: readonly string[] };
}

interface Volume {
  readonly name: string;
  readonly emptyDir?: object;
  readonly configMap?: { readonly name: string };
  readonly secret?: { readonly secretName: string; readonly items?: readonly { readonly key: string; readonly path: string }[] };
  readonly persistentVolumeClaim?: { readonly claimName: string };
}

/** Runs the containers one after the other, and stops after the first that fails. `names` are replaced in the text, as a DNS server would. */
export async function startPods(cluster: Cluster, file: string, names: Files, objects: Objects): Promise<EndedContainer[]> {
  const text = Object.entries(names).reduce((before, [name, address]) => before.replaceAll(name, address), readFileSync(file, "utf8"));
  const manifests: Manifest[] = parseAllDocuments(text).map((document) => document.toJS());
  const own = manifests.filter(({ kind }) => kind === "ConfigMap").map(({ metadata, data = {} }) => [metadata.name, data] as const);
  const known = { ...objects, configMaps: { ...objects.configMaps, ...Object.fromEntries(own) } };
  const ended: EndedContainer[] = [];
  for (const { kind, metadata, spec } of manifests) {
    if (kind !== "Pod" || spec === undefined) continue;
    const volumes = new Map<string, string>();
    for (const volume of spec.volumes ?? []) volumes.set(volume.name, await openVolume(cluster, volume, known));
    for (const container of [...(spec.initContainers ?? []), ...spec.containers]) {
      const log = join(await cluster.makeVolume({ log: "" }), "log");
      chmodSync(log, 0o666);
      const mounts = (container.volumeMounts ?? []).map(({ name, mountPath, subPath = "", readOnly }) => {
        const outside = volumes.get(name);
        if (outside === undefined) throw new Error(`There is no volume "${name}"`);
        return [`${mountPath}${readOnly ? ":ro" : ""}`, join(outside, subPath)];
      });
      const { command, args } = container;
      const one = await runPod(cluster.image, {
        ...(command ? { command } : {}),
        ...(args ? { args } : {}),
        env: Object.fromEntries((container.env ?? []).map((variable) => [variable.name, readVariable(variable, known)])),
        volumes: { ...Object.fromEntries(mounts), "/dev/termination-log": log },
        ...secure({ ...spec.securityContext, ...container.securityContext }),
      });
      ended.push({ ...one, name: `${metadata.name}/${container.name}`, message: readFileSync(log, "utf8") });
      if (one.code !== 0) return ended;
    }
  }
  return ended;
}

async function openVolume(cluster: Cluster, volume: Volume, { secrets = {}, configMaps = {}, claims = {} }: Objects): Promise<string> {
  const { configMap, secret, persistentVolumeClaim } = volume;
  if (persistentVolumeClaim) return claims[persistentVolumeClaim.claimName] ?? missing(persistentVolumeClaim.claimName);
  const place = await cluster.makeVolume();
  if (configMap) project(place, configMaps[configMap.name] ?? missing(configMap.name));
  if (secret) {
    const data = secrets[secret.secretName] ?? missing(secret.secretName);
    const items = secret.items ?? Object.keys(data).map((key) => ({ key, path: key }));
    project(place, Object.fromEntries(items.map(({ key, path }) => [path, data[key] ?? missing(key)])));
  }
  return place;
}

/** As the kubelet lays them out, to change all files at once: links to a link to a directory. */
function project(place: string, files: Files): void {
  symlinkSync("..2001_02_03", join(place, "..data"));
  for (const [name, text] of Object.entries(files)) {
    mkdirSync(dirname(join(place, "..2001_02_03", name)), { recursive: true });
    writeFileSync(join(place, "..2001_02_03", name), text, { mode: 0o644 });
    symlinkSync(join("..data", name), join(place, name));
  }
}

function readVariable({ value = "", valueFrom }: Variable, { secrets = {} }: Objects): string {
  if (valueFrom === undefined) return value;
  const { name, key } = valueFrom.secretKeyRef;
  return secrets[name]?.[key] ?? missing(`${name}/${key}`);
}

/** Of the environments that there are the one that a container's settings are. */
function secure(context: SecurityContext): Pick<Pod, "environment" | "readOnlyRoot" | "capabilities"> {
  const { runAsUser = 0, allowPrivilegeEscalation = true, readOnlyRootFilesystem = false, seccompProfile, capabilities } = context;
  const said = [
    runAsUser,
    !allowPrivilegeEscalation,
    capabilities?.drop.includes("ALL") === true,
    seccompProfile?.type === "RuntimeDefault",
  ];
  const environments: Readonly<Record<string, string>> = {
    "0 false false false": "k8s",
    "0 false false true": "docker",
    "0 true true true": "drop-all",
    "1000 false false false": "k8s-user",
    "1000 true true true": "restricted",
  };
  return {
    environment: environments[said.join(" ")] ?? missing(said.join(" ")),
    readOnlyRoot: readOnlyRootFilesystem,
    ...(capabilities?.add ? { capabilities: capabilities.add.map((name) => `CAP_${name}`) } : {}),
  };
}

function missing(what: string): never {
  throw new Error(`This cluster has no ${what}`);
}

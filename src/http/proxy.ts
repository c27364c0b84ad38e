// Which proxy a request goes through, after the rules that Go's tools (docker, kaniko) apply to HTTP_PROXY and NO_PROXY.

import { BlockList, isIP } from "node:net";
import type { Proxies } from "./http.ts";

/** The proxy's URL, or undefined for a direct connection. Loopback is always reached directly. Throws where the proxy's URL cannot be used. */
export function proxyFor(target: URL, proxies: Proxies): URL | undefined {
  const given = target.protocol === "https:" ? proxies.https : proxies.http;
  if (!given || isLoopback(hostOf(target)) || isExcepted(target, proxies.noProxy ?? "")) return undefined;
  const text = /^[a-z0-9+.-]+:\/\//i.test(given) ? given : `http://${given}`;
  if (!URL.canParse(text)) throw new SyntaxError("Cannot use the proxy of the environment: its value is no URL");
  const proxy = new URL(text);
  if (proxy.protocol === "http:" || proxy.protocol === "https:") return proxy;
  throw new SyntaxError(`Cannot use the proxy "${proxy.protocol}//${proxy.host}": only http:// and https:// proxies are supported`);
}

function isExcepted(target: URL, noProxy: string): boolean {
  const host = hostOf(target);
  const port = target.port || (target.protocol === "https:" ? "443" : "80");
  return noProxy
    .split(",")
    .map((rule) => rule.trim().toLowerCase())
    .some((rule) => rule !== "" && matchesRule(rule, host, port));
}

function matchesRule(rule: string, host: string, port: string): boolean {
  if (rule === "*") return true;
  if (rule.includes("/")) return isInBlock(rule, host);
  const [name, rulePort] = splitPort(rule);
  if (rulePort !== undefined && rulePort !== port) return false;
  if (isIP(name) !== 0 || isIP(host) !== 0) return name === host;
  const suffix = name.replace(/^\*(?=\.)/, "");
  return suffix.startsWith(".") ? host.endsWith(suffix) : host === suffix || host.endsWith(`.${suffix}`);
}

function splitPort(rule: string): readonly [name: string, port: string | undefined] {
  const [, name, port] = /^(?:\[([0-9a-f:.]+)\]|[^:]*)(?::(\d+))?$/.exec(rule) ?? [];
  if (name !== undefined) return [name, port];
  if (isIP(rule) === 6) return [rule, undefined];
  const colon = rule.lastIndexOf(":");
  return colon < 0 ? [rule, undefined] : [rule.slice(0, colon), rule.slice(colon + 1)];
}

function isInBlock(rule: string, host: string): boolean {
  const [network = "", bits = ""] = rule.split("/");
  const family = isIP(host);
  const limit = family === 6 ? 128 : 32;
  if (family === 0 || isIP(network) !== family || !/^\d+$/.test(bits) || Number(bits) > limit) return false;
  const name = family === 6 ? "ipv6" : "ipv4";
  const block = new BlockList();
  block.addSubnet(network, Number(bits), name);
  return block.check(host, name);
}

function isLoopback(host: string): boolean {
  return host === "localhost" || host === "::1" || (isIP(host) === 4 && host.startsWith("127."));
}

function hostOf(target: URL): string {
  return target.hostname.toLowerCase().replace(/^\[|\]$/g, "");
}

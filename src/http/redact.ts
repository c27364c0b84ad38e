// Takes secrets out of what is shown: user names and passwords in URLs, signed queries, tokens.

/** A URL without its userinfo and with nothing of its query but the names. */
export function redactUrl(url: string): string {
  if (!URL.canParse(url)) return url.replace(/\/\/[^/@\s]*@/, "//").replace(/\?.*$/s, "?…");
  const parsed = new URL(url);
  const names = [...new Set(parsed.searchParams.keys())];
  const query = names.length === 0 ? "" : `?${names.map((name) => `${name}=…`).join("&")}`;
  return `${parsed.protocol}//${parsed.host}${parsed.pathname}${query}`;
}

/** A text with the userinfo and query values of every URL in it, and every bearer token and basic credential, replaced. */
export function redactText(text: string): string {
  return text
    .replace(/https?:\/\/[^\s"'<>]+/gi, (url) => redactUrl(url))
    .replace(/\b(git:\/\/)[^/@\s"'<>]*@/gi, "$1")
    .replace(/\b(ssh:\/\/[^/:@\s"'<>]*):[^/@\s"'<>]*@/gi, "$1@")
    .replace(/\b(bearer|basic)\s+[A-Za-z0-9._~+/=-]{8,}/gi, "$1 …")
    .replace(/("(?:token|access_token|refresh_token|identitytoken|password|secret)"\s*:\s*)"[^"]*"/gi, '$1"…"');
}

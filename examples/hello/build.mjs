// Renders pages/*.md to HTML, names public/* by their hash, and compresses both: node build.mjs --version V --out DIR

import { createHash } from "node:crypto";
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { parseArgs } from "node:util";
import { gzipSync } from "node:zlib";

const { values } = parseArgs({ options: { version: { type: "string", default: "dev" }, out: { type: "string", default: "site" } } });
mkdirSync(values.out, { recursive: true });

const escapeText = (text) => text.replace(/[&<>"]/g, (sign) => `&#${sign.charCodeAt(0)};`);

const renderInline = (text) =>
  escapeText(text)
    .replace(/`([^`]+)`/g, "<code>$1</code>")
    .replace(/\[([^\]]+)\]\(([^)]+)\)/g, '<a href="$2">$1</a>');

function renderBlock(block) {
  const heading = /^(#{1,6}) (.*)$/.exec(block);
  if (heading) return `<h${heading[1].length}>${renderInline(heading[2])}</h${heading[1].length}>`;
  if (block.startsWith("- "))
    return `<ul>\n${block
      .split(/^- /m)
      .slice(1)
      .map((item) => `<li>${renderInline(item.trim())}</li>`)
      .join("\n")}\n</ul>`;
  return `<p>${renderInline(block)}</p>`;
}

function writeBoth(name, text) {
  writeFileSync(`${values.out}/${name}`, text);
  writeFileSync(`${values.out}/${name}.gz`, gzipSync(text, { level: 9 }));
}

const assets = new Map();
for (const file of readdirSync("public").sort()) {
  const text = readFileSync(`public/${file}`);
  const [, stem, end] = /^(.*)(\.[^.]+)$/.exec(file);
  const name = `${stem}.${createHash("sha256").update(text).digest("hex").slice(0, 8)}${end}`;
  assets.set(file, name);
  writeBoth(name, text);
}

for (const file of readdirSync("pages").sort()) {
  const text = readFileSync(`pages/${file}`, "utf8").trim();
  const body = text
    .split(/\n{2,}/)
    .map(renderBlock)
    .join("\n");
  const title = escapeText(/^# (.*)$/m.exec(text)?.[1] ?? file);
  writeBoth(
    file.replace(/\.md$/, ".html"),
    `<!doctype html>
<html lang="en">
<title>${title}</title>
<link rel="stylesheet" href="${assets.get("style.css")}">
${body}
<footer>hello ${escapeText(values.version)}</footer>
</html>
`,
  );
}
console.log(`rendered ${readdirSync("pages").length} pages, version ${values.version}`);

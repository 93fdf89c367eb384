// What the page takes from the package, as a module of esbuild: the lists and the templates of sentcli/report/.

import { createHash } from "node:crypto";
import { readdirSync, readFileSync } from "node:fs";
import nunjucks from "nunjucks";

const REPORT = new URL("../sentcli/report/", import.meta.url);
const read = (name) => readFileSync(new URL(name, REPORT), "utf8");
const digestOf = (text) => createHash("sha256").update(text).digest("base64");
const [style, script] = [read("page.css"), read("page.js")];

/** The digests of the script and of the style of a report, for the policy of the page that opens it. */
export const digests = { script: digestOf(script), style: digestOf(`\n${style}`) };

nunjucks.installJinjaCompat(); // slices
const environment = new nunjucks.Environment(null, { autoescape: true, trimBlocks: true, lstripBlocks: true });
for (const name of ["selectattr", "map"]) environment.addFilter(name, () => {});

// Jinja also removes the line end after a comment.
function compiled(name) {
  const source = read(name).replace(/\{#[^]*?#\}\n/g, "");
  const wrapper = ([{ template }]) => `(() => {${template}})()`;
  return `${JSON.stringify(name)}: ${nunjucks.precompileString(source, { name, env: environment, wrapper })}`;
}

function contents() {
  const names = readdirSync(REPORT);
  const lists = names.filter((name) => name.endsWith(".txt")).map((name) => [name.slice(0, -4), read(name).trimEnd()]);
  const templates = names.filter((name) => name.endsWith(".html.jinja") && !/^(evaluated|trained)/.test(name));
  return `export const lists = ${JSON.stringify(Object.fromEntries(lists))};
export const assets = ${JSON.stringify({ style, script, digest: digests.script })};
export const templates = {${templates.map(compiled).join(",\n")}};`;
}

/** The plugin of esbuild that makes the module `package:report`. */
export const packageFiles = {
  name: "package files",
  setup(build) {
    build.onResolve({ filter: /^package:report$/ }, ({ path }) => ({ path, namespace: "package" }));
    build.onLoad({ filter: /.*/, namespace: "package" }, () => ({ contents: contents() }));
  },
};

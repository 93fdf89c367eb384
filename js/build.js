// Build the page: `node js/build.js [FOLDER] [MODEL]`. It needs `npm ci --ignore-scripts` in js/ once.

import { copyFileSync, mkdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { basename, dirname, join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";
import { digests, packageFiles } from "./package_files.js";

const here = dirname(fileURLToPath(import.meta.url));
const [folder = join(here, "..", "build", "site", "demo"), model = join(here, "..", "exports", "imdb-bilstm")] = process.argv.slice(2);

const copies = { "ort.wasm": join(here, "node_modules", "onnxruntime-web", "dist", "ort-wasm-simd-threaded.wasm") };
for (const name of ["model.onnx", "vocab.txt", "config.json"]) copies[`model/${name}`] = join(model, name);
const bytes = Object.values(copies).reduce((sum, file) => sum + statSync(file).size, 0);

mkdirSync(join(folder, "model"), { recursive: true });
for (const [name, file] of Object.entries(copies)) copyFileSync(file, join(folder, name));
// A report that the page opens has the policy of the page too, so that it names the report's script and style.
const html = readFileSync(join(here, "page", "index.html"), "utf8");
writeFileSync(join(folder, "index.html"), html.replace("SCRIPT_DIGEST", digests.script).replace("STYLE_DIGEST", digests.style));
await build({
  entryPoints: ["page.js", "worker.js", "page.css"].map((name) => join(here, "page", name)),
  outdir: folder,
  bundle: true,
  minify: true,
  format: "esm",
  target: ["es2022"],
  legalComments: "linked",
  define: { MEGABYTES: String(Math.round(bytes / 1e6)), MODEL: JSON.stringify(basename(resolve(model))) },
  plugins: [packageFiles],
  logLevel: "warning",
});
console.log(`${folder}: the page, ${Math.round(bytes / 1e6)} MB with the model; serve it with python -m http.server`);

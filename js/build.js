// Build the page: `node js/build.js [FOLDER] [MODEL]`. It needs `npm ci --ignore-scripts` in js/ once.

import { copyFileSync, mkdirSync, statSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { buildSync } from "esbuild";

const here = dirname(fileURLToPath(import.meta.url));
const [folder = join(here, "..", "build", "site", "demo"), model = join(here, "..", "exports", "imdb-bilstm")] = process.argv.slice(2);

const copies = {
  "index.html": join(here, "page", "index.html"),
  "ort.wasm": join(here, "node_modules", "onnxruntime-web", "dist", "ort-wasm-simd-threaded.wasm"),
};
for (const name of ["model.onnx", "vocab.txt", "config.json"]) copies[`model/${name}`] = join(model, name);
const bytes = Object.values(copies).reduce((sum, file) => sum + statSync(file).size, 0);

mkdirSync(join(folder, "model"), { recursive: true });
for (const [name, file] of Object.entries(copies)) copyFileSync(file, join(folder, name));
buildSync({
  entryPoints: ["page.js", "worker.js", "page.css"].map((name) => join(here, "page", name)),
  outdir: folder,
  bundle: true,
  minify: true,
  format: "esm",
  target: ["es2022"],
  legalComments: "linked",
  define: { MEGABYTES: String(Math.round(bytes / 1e6)) },
  logLevel: "warning",
});
console.log(`${folder}: the page, ${Math.round(bytes / 1e6)} MB with the model; serve it with python -m http.server`);

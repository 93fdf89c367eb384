// Make the reports of files as the page does: `node report.js FILES.json MODEL`. Each file is `{path, page}`; prints for
// each, as JSON, the milliseconds that it took.

import { mkdtempSync, openAsBlob, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { basename, dirname, join } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import { build } from "esbuild";
import { loadScorer } from "./load.js";
import { packageFiles } from "./package_files.js";

const here = dirname(fileURLToPath(import.meta.url));

async function load() {
  const folder = mkdtempSync(join(tmpdir(), "report-"));
  const outfile = join(folder, "report.mjs");
  const contents = `export * from "./src/report/rows.js"; export * from "./src/table.js"; export * from "./src/explain.js";`;
  const options = { bundle: true, format: "esm", platform: "node", plugins: [packageFiles], logLevel: "warning" };
  await build({ stdin: { contents, resolveDir: here }, outfile, ...options });
  const module = await import(pathToFileURL(outfile));
  rmSync(folder, { recursive: true });
  return module;
}

const { Explainer, likelyTexts, openTable, Report, scoreTable } = await load();
const [files, model] = process.argv.slice(2);
const scorer = await loadScorer(model);
const times = [];
for (const { path, page, neutral, column } of JSON.parse(readFileSync(files, "utf8"))) {
  const begun = performance.now();
  const table = await openTable(new File([await openAsBlob(path)], basename(path)));
  const texts = column === undefined ? likelyTexts(table) : table.columns.indexOf(column);
  const report = new Report(new Explainer(scorer), table, texts);
  const { rejected } = await scoreTable(table, scorer, texts, { neutral, seen: (...rows) => report.add(...rows) });
  writeFileSync(page, await report.page(basename(path), basename(model), rejected));
  times.push(Math.round(performance.now() - begun));
}
console.log(JSON.stringify(times));

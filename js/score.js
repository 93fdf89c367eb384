// Score CSV files as the page does: `node score.js FILES.json MODEL`. Each file is `{path, limit}`, with the most bytes
// of a row. Writes `PATH.page` and `PATH.page.rejects.jsonl`, and prints for each file, as JSON, the number of the
// column with the texts and the counts, or the error.

import { readFileSync, writeFileSync } from "node:fs";
import { loadScorer } from "./load.js";
import { CsvTable } from "./src/csv.js";
import { likelyTexts, scoreTable } from "./src/table.js";

const [files, model] = process.argv.slice(2);
const scorer = await loadScorer(model);

async function scoreFile({ path, limit }) {
  const found = {};
  try {
    const table = await CsvTable.open(new Blob([readFileSync(path)]), limit);
    const column = likelyTexts(table);
    found.column = column + 1;
    const { output, rejects, rows, rejected, empty } = await scoreTable(table, scorer, column);
    writeFileSync(`${path}.page`, Buffer.from(await output.arrayBuffer()));
    writeFileSync(`${path}.page.rejects.jsonl`, Buffer.from(await rejects.arrayBuffer()));
    return { ...found, rows, rejected, empty };
  } catch (error) {
    return { ...found, error: error.message };
  }
}

const results = [];
for (const file of JSON.parse(readFileSync(files, "utf8"))) results.push(await scoreFile(file));
console.log(JSON.stringify(results));

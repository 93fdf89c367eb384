// Score the rows of a file: the same file with a label and a score at the end of each row.

import { CsvTable } from "./csv.js";
import { ParquetTable } from "./parquet.js";

const COLUMNS = ["sentiment", "sentiment_score"];
const HINT = "sentcli score reads it";
const SIGNATURES = [
  ["PK", `a workbook or an archive: ${HINT}`],
  ["\x1f\x8b", `compressed with gzip: ${HINT}`],
  ["\x28\xb5\x2f\xfd", `compressed with zstd: ${HINT}`],
  ["ARROW1", `an Arrow file: ${HINT}`],
  ["ORC", `an ORC file: ${HINT}`],
  ["\xff\xfe", `UTF-16: ${HINT}`],
  ["\xfe\xff", `UTF-16: ${HINT}`],
];

/** Open a CSV or Parquet file. */
export async function openTable(file) {
  const start = String.fromCharCode(...new Uint8Array(await file.slice(0, 6).arrayBuffer()));
  if (start.startsWith("PAR1")) return ParquetTable.open(file);
  const [, found] = SIGNATURES.find(([signature]) => start.startsWith(signature)) ?? [];
  if (found) throw new Error(`the file is ${found}`);
  return CsvTable.open(file);
}

/** Return the index of the column with the longest texts of several words in the first rows. */
export function likelyTexts(table) {
  const sizes = table.columns.map((_, place) => {
    const texts = new Set(table.sample.map((row) => (row[place] ?? "").slice(0, 500)));
    return [...texts].filter((text) => /\p{L}[^]*\s[^]*\p{L}/u.test(text)).join("").length;
  });
  return sizes.indexOf(Math.max(...sizes));
}

/**
 * Score a column of a table.
 *
 * @param {object} scorer
 * @param {number} column its index
 * @param {(counts: object) => Promise<void> | void} report called after each chunk with `{done, rows, empty, rejected, labels}`
 * @returns the counts, the output and the rejected rows as Blobs, and the first rows
 */
export async function scoreTable(table, scorer, column, options = {}, report = () => {}) {
  const taken = table.columns.find((name) => COLUMNS.includes(name.toLowerCase()));
  if (taken) throw new Error(`the file has a column ${taken}; sentcli score --prefix gives the new ones another name`);
  const counts = { done: 0, rows: 0, empty: 0, rejected: 0, labels: {} };
  const [output, rejects, first] = [[], [], []];
  for await (const { records, done } of table.chunks()) {
    const rows = records.filter((record) => isRow(record));
    const results = await scorer.score(rows.map((row) => row.fields[column]), options);
    const result = new Map(rows.map((row, place) => [row, results[place]]));
    output.push(new Blob(records.filter((record) => !record.problem).map((record) => line(table, record, result))));
    rejects.push(...records.filter((record) => record.problem));
    for (const found of results) {
      if (found) counts.labels[found.label] = (counts.labels[found.label] ?? 0) + 1;
      else counts.empty++;
    }
    rows.slice(0, 10 - first.length).forEach((row, place) => first.push({ text: row.fields[column], ...results[place] }));
    Object.assign(counts, { done, rows: counts.rows + rows.length, rejected: rejects.length });
    await report(counts);
  }
  return { ...counts, output: new Blob(output, { type: "text/csv" }), rejects: rejected(rejects), first };
}

function isRow(record) {
  return !record.problem && !record.isHeader && !record.isBlank;
}

function line(table, record, results) {
  if (record.isBlank) return record.raw;
  if (record.isHeader) return table.extended(record, COLUMNS);
  const result = results.get(record);
  return table.extended(record, result ? [result.label, result.score.toFixed(6)] : ["", ""]);
}

// As JSON Lines, as in the `.rejects.jsonl` of sentcli score.
function rejected(records) {
  const lines = records.map(({ line, problem, raw }) => `${JSON.stringify({ line, reason: problem, raw })}\n`);
  return new Blob(lines, { type: "application/x-ndjson" });
}

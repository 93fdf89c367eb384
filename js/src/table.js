// Score the rows of a file: the same file with a label and a score at the end of each row.

import { CsvTable } from "./csv.js";
import { ParquetTable } from "./parquet.js";
import { openWorkbook } from "./workbook.js";

const COLUMNS = ["sentiment", "sentiment_score"];
const FIRST_ROWS = 10; // to show
const HINT = "sentcli score reads it";
const WORKBOOK = /^PK\x03\x04/;
const SIGNATURES = [
  [/^PK\x05\x06/, "an empty archive"],
  [/^\x1f\x8b/, "compressed with gzip"],
  [/^\x28\xb5\x2f\xfd/, "compressed with zstd"],
  [/^ARROW1\0\0/, "an Arrow file"],
  [/^ORC[^]{0,16}[\0-\x06]/, "an ORC file"],
  [/^(\xff\xfe|\xfe\xff|\0\0\xfe\xff)/, "UTF-16 or UTF-32"],
];

/** Open a CSV or Parquet file, or a workbook. */
export async function openTable(file) {
  const start = String.fromCharCode(...new Uint8Array(await file.slice(0, 20).arrayBuffer()));
  if (start.startsWith("PAR1\x15")) return ParquetTable.open(file);
  if (WORKBOOK.test(start)) return openWorkbook(file);
  const [, found] = SIGNATURES.find(([signature]) => signature.test(start)) ?? [];
  if (found) throw new Error(`the file is ${found}: ${HINT}`);
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
 * @returns the counts, the output and the rejected rows as Blobs, and the first rows of both
 */
export async function scoreTable(table, scorer, column, options = {}, report = () => {}) {
  const taken = table.columns.find((name) => COLUMNS.includes(name.toLowerCase()));
  if (taken) throw new Error(`the file has a column ${taken}; sentcli score --prefix gives the new ones another name`);
  const counts = { done: 0, rows: 0, empty: 0, rejected: 0, labels: {} };
  const [output, rejects, first] = [[], [], []];
  for await (const { records, done } of table.chunks()) {
    const rows = records.filter((record) => isRow(record));
    const results = await scorer.score(rows.map((row) => row.fields[column]), options);
    options.seen?.(rows, results);
    const result = new Map(rows.map((row, place) => [row, results[place]]));
    output.push(new Blob(records.filter((record) => !record.problem).map((record) => line(table, record, result))));
    rejects.push(...records.filter((record) => record.problem));
    for (const found of results) {
      if (found) counts.labels[found.label] = (counts.labels[found.label] ?? 0) + 1;
      else counts.empty++;
    }
    rows.slice(0, FIRST_ROWS - first.length).forEach((row, place) => first.push({ text: row.fields[column], ...results[place] }));
    Object.assign(counts, { done, rows: counts.rows + rows.length, rejected: rejects.length });
    await report(counts);
  }
  const firstRejects = rejects.slice(0, FIRST_ROWS).map(({ line, problem, raw }) => ({ line, problem, raw }));
  return { ...counts, output: new Blob(output, { type: "text/csv" }), rejects: rejected(rejects), first, firstRejects };
}

function isRow(record) {
  return !record.problem && !record.isHeader && !record.isSkipped && !record.isBlank;
}

function line(table, record, results) {
  if (record.isBlank) return record.raw;
  if (record.isHeader) return table.extended(record, COLUMNS);
  const result = results.get(record);
  return table.extended(record, result ? [result.label, result.score.toFixed(6)] : ["", ""]);
}

// As JSON Lines, as in the `.rejects.jsonl` of sentcli score.
function rejected(records) {
  const lines = records.map(({ line, offset, problem, raw, bytes }) => {
    const content = bytes ? { raw_base64: base64(bytes) } : { raw };
    return `${JSON.stringify({ line, offset, reason: problem, ...content })}\n`;
  });
  return new Blob(lines, { type: "application/x-ndjson" });
}

function base64(bytes) {
  return btoa(Array.from(bytes, (byte) => String.fromCharCode(byte)).join(""));
}

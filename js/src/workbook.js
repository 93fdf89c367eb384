// A workbook as CSV: its first sheet with a table, and each value as `sentcli score FILE.xlsx -o OUT.csv` spells it.

import readSheets from "read-excel-file/universal";
import { CsvTable, quoted } from "./csv.js";
import { isUsual } from "./csv_header.js";

const LONGEST_COVER = 20; // rows of a sheet without a table
const CHECKED_ROWS = 1000; // of a sheet
const SUMMARY = /^Summary( 2)?$/; // the sheet about a run of sentcli
const FIRST_DAY = Date.UTC(1900, 0, 1); // times without a day are before it

/** Open a workbook as a table of CSV. */
export async function openWorkbook(file) {
  const sheets = await readSheets(file, { trim: false }).catch((error) => {
    throw new Error(`not a workbook that can be read: ${error.message}`);
  });
  const rows = firstTable(sheets).map((cells) => cells.map((cell) => quoted(spelled(cell), ",")).join(","));
  const table = await opened(file, rows);
  // Titles above the header are no rows.
  let lines = 0;
  const titles = rows.findIndex((row) => (lines += row.split(/\r\n|\r|\n/).length) > table.start);
  return titles > 0 ? opened(file, rows.slice(titles)) : table;
}

function opened(file, rows) {
  return CsvTable.open(new File(rows.map((row) => `${row}\n`), file.name ?? ""));
}

// The first sheet that is no cover; without one, the first that is not empty.
function firstTable(sheets) {
  const filled = sheets.map(({ sheet, data }) => {
    const rows = data.slice(0, CHECKED_ROWS).map((cells) => cells.filter((cell) => cell !== null && cell !== ""));
    return { name: sheet, data, rows: rows.filter((cells) => cells.length) };
  });
  const known = filled.filter(({ name, rows }) => rows.length && !(SUMMARY.test(name) && rows[0][0] === "model"));
  const isTable = ({ rows }) => {
    const isList = rows.length > LONGEST_COVER || isUsual(spelled(rows[0][0]));
    return isList || rows.some((cells) => cells.length > (rows[0].length === 1 ? 2 : 1));
  };
  return (known.find(isTable) ?? known[0] ?? filled[0]).data;
}

function spelled(cell) {
  if (!(cell instanceof Date)) return cell === null ? "" : String(cell);
  const [day, time] = cell.toISOString().replace(".000Z", "").replace("Z", "").split("T");
  if (cell < FIRST_DAY) return time;
  return time === "00:00:00" ? day : `${day} ${time}`;
}

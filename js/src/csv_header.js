// The delimiter and the header of CSV, by its first lines: see sentcli/tables/csv_header.py and sniff.py.

import { recordAt } from "./csv_record.js";

const CHECKED_RECORDS = 100; // that have to agree with a delimiter
const LIKELY_DELIMITERS = ["\t", ";", "|", ","];
const SEPARATOR = /^sep=([^\p{L}\p{N}_"'\\])\r?$/iu; // the first line of Excel
const TITLED_RECORDS = 21; // that show whether the first ones are titles
const FEWEST_NAMES = 3; // in a header below titles, if the table has as many columns
const NUMBER = /^[-+(#$€£]*\.?\p{Nd}(?:(?!\p{L}{2})[^\n])*$/u; // also a date or a time
const SECOND_HEADER = ["Response ID", "Open-Ended Response"]; // of a survey
const THIRD_HEADER = '{"ImportId"'; // of Qualtrics
const SAMPLE_ROWS = 100;
// As TEXT_NAMES in sentcli/tables/text_column.py.
const TEXT_NAMES = new Set(
  (
    "reviewtext reviewbody reviewcontent reviewfull reviewdetail reviewdescription reviewcommentmessage " +
    "reviewstext fulltext commenttext commentbody commentcontent tweettext posttext messagetext feedbacktext " +
    "sentimenttext cleantext cleancomment text review content comment body positivereview+negativereview " +
    "positivecomment+negativecomment positivecomments+negativecomments pros+cons likedtext+dislikedtext " +
    "liked+disliked positive+negative sentence reviews comments verifiedreviews customerreview userreview " +
    "customerfeedback feedback tweet originaltweet selftext textdisplay textoriginal verbatim opinion " +
    "openendedresponse messagebody message phrase"
  ).split(" "),
);

/**
 * Return what the first lines decide: `delimiter`, the `columns`, the line `start` of the header, the number
 * `skipRows` of further headers after it, and the first rows as a `sample`.
 */
export function startOf(lines, delimiter, limit) {
  for (let start = 0; ; ) {
    ({ start, delimiter } = delimiterOf(lines, start, delimiter));
    const header = firstRecord(lines, start, delimiter);
    if (!header) throw new Error("the file has no header: it is empty");
    check(lines, header, limit);
    const known = withoutCut(lines, header);
    const records = [...recordsFrom(known, header.start, delimiter)].filter((record) => record.fields.length);
    const titles = linesOfTitles(records.slice(0, TITLED_RECORDS));
    if (titles) {
      start = titles;
      continue;
    }
    const columns = header.fields;
    const rows = records.slice(1).map((record) => record.fields);
    const skipRows = furtherHeaders(rows.slice(0, 2));
    const sample = rows.slice(skipRows).filter((row) => row.length === columns.length).slice(0, SAMPLE_ROWS);
    return { delimiter, columns, start: header.start, skipRows, sample };
  }
}

function* recordsFrom(lines, start, delimiter) {
  for (let record; start < lines.length; start = record.end) {
    record = recordAt(lines, start, delimiter);
    yield record;
  }
}

// The last line may be cut if no line feed ends it. It decides nothing, unless only the first record precedes it.
function withoutCut(lines, header) {
  const isCut = header.end < lines.length - 1 && !lines.at(-1).text.endsWith("\n");
  return isCut ? lines.slice(0, -1) : lines;
}

// A blank line is no record.
function firstRecord(lines, start, delimiter) {
  for (const record of recordsFrom(lines, start, delimiter)) if (record.fields.length || record.problem) return record;
  return undefined;
}

// The delimiter that the first records share, and the line at which they begin.
function delimiterOf(lines, start, delimiter) {
  const header = firstRecord(lines, start, delimiter);
  const [, named] = header?.fields.join(delimiter).match(SEPARATOR) ?? [];
  if (named) return { start: header.end, delimiter: named };
  if (!header) return { start, delimiter };
  const known = withoutCut(lines, header);
  if (header.fields.length && splitsAlike(known, start, delimiter)) return { start, delimiter };
  const text = rawOf(lines, header);
  const others = LIKELY_DELIMITERS.filter((mark) => mark !== delimiter && text.includes(mark));
  const other = others.find((mark) => splitsAlike(known, start, mark));
  if (others.length && !other && header.fields.length === 1) {
    throw new Error("it is not clear what separates the columns: sentcli score --delimiter reads it");
  }
  return { start, delimiter: other ?? delimiter };
}

// Whether the first records, up to a malformed one, have as many fields each, and several.
function splitsAlike(lines, start, delimiter) {
  const records = [];
  for (const record of recordsFrom(lines, start, delimiter)) {
    if (records.push(record) === CHECKED_RECORDS) break;
  }
  const present = records.filter((record) => record.fields.length || record.problem);
  const bad = present.findIndex((record) => record.problem);
  const widths = present.slice(0, bad < 0 ? present.length : bad).map((record) => record.fields.length);
  return new Set(widths).size === 1 && widths[0] > 1 && (bad < 0 || widths.length > 1);
}

function check(lines, header, limit) {
  const size = lines.slice(0, header.start).reduce((sum, line) => sum + line.bytes.length, 0);
  if (size > limit) throw new Error(`no header in its first ${limit} bytes`);
  const isBad = lines.slice(header.start, header.end).some((line) => line.isBad);
  const isLong = header.size > limit;
  const problem = isLong ? `longer than ${limit} bytes` : header.problem || (isBad ? "not UTF-8" : "");
  if (problem) throw new Error(`the first record cannot be read: ${problem}`);
}

// The number of lines before the header, if these have a cell or two, as titles of a report.
function linesOfTitles(records) {
  const counts = records.map(({ fields }) => fields.filter(Boolean).length);
  const least = Math.min(FEWEST_NAMES, Math.max(...counts));
  const table = records.slice(counts.findIndex((count) => count >= least));
  const [first, header] = [records[0].fields, table[0].fields];
  const isIndex = !first[0] && first.length < FEWEST_NAMES; // of pandas
  const isUneven = table.length < 2 || new Set(table.map(({ fields }) => fields.length)).size > 1;
  if (first === header || isIndex || isUneven) return 0;
  if (header.some(isUsual)) return table[0].start;
  if (counts[0] === 1 ? first.some(isUsual) : header.some((cell) => NUMBER.test(cell))) return 0;
  throw new Error(`the first line has few cells: sentcli score --skip-lines ${table[0].start} reads it`);
}

function furtherHeaders([first = [], ...rest]) {
  if (rest.some((row) => row.some((cell) => cell.startsWith(THIRD_HEADER)))) return 2;
  return Number(SECOND_HEADER.some((name) => first.includes(name)));
}

/** Return whether a name is usual for a column of texts. */
export function isUsual(name) {
  return TEXT_NAMES.has(name.replace(/[^\p{L}\p{N}]+/gu, "").toLowerCase());
}

function rawOf(lines, { start, end }) {
  return lines.slice(start, end).map((line) => line.text).join("");
}

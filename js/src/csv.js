// A CSV file as rows that keep their own characters: a result is added to the end of each. Of a malformed record,
// only the first line is rejected, and reading continues with the next line: see sentcli/tables/csv.py.

import { startOf } from "./csv_header.js";
import { recordAt } from "./csv_record.js";
import { isUtf8 } from "./encoding.js";
import { joined, linesOf } from "./lines.js";

const SAMPLE = 1 << 19; // bytes that decide the delimiter and the header
const MOST_BYTES = 16 << 20; // of a row
const BOM = "\ufeff";

// The bytes that are parsed again after quotes that are not closed may be this many times the limit of a row plus
// this many times the bytes read so far. Without a limit, a malicious file takes hours.
const RESCAN_LIMITS = 32;
const RESCAN_SHARE = 4;

export class CsvTable {
  format = "csv";

  constructor(file, mark, limit, start) {
    Object.assign(this, { file, mark, limit, ...start });
  }

  /** Read the first rows of a file. */
  static async open(file, limit = MOST_BYTES) {
    if (!(await isUtf8(file))) throw new Error("the file is not UTF-8: sentcli score reads other encodings");
    const decoder = new TextDecoder("utf-8", { ignoreBOM: true });
    const mark = decoder.decode(await file.slice(0, 3).arrayBuffer()) === BOM ? BOM : "";
    const body = file.slice(mark ? 3 : 0);
    const usual = /\.(tsv|tab)$/i.test(file.name ?? "") ? "\t" : ",";
    return new CsvTable(body, mark, limit, startOf(await firstLines(body, limit), usual, limit));
  }

  /**
   * Yield `{records, done}`: some records and the share of the file that was read. A record has its own characters
   * as `raw`, and `fields`; or a `problem`, the `line` and the `offset` at which it begins, and its `bytes` if it is
   * not UTF-8.
   */
  async *chunks() {
    const reader = new Reader(this);
    if (this.mark) yield { records: [{ raw: this.mark, isBlank: true }], done: 0 };
    for await (const { lines, isLast } of linesOf(this.file, this.limit)) {
      const records = [...reader.records(lines, isLast)];
      yield { records, done: isLast ? 1 : reader.read / this.file.size };
    }
  }

  /** Return a record with more fields before its line end. */
  extended(record, fields) {
    const [end] = record.raw.match(/(\r\n|\r|\n)?$/);
    const bare = record.raw.slice(0, record.raw.length - end.length);
    return [bare, ...fields.map((field) => quoted(field, this.delimiter))].join(this.delimiter) + end;
  }
}

/** Return a value as a field of CSV. */
export function quoted(value, delimiter) {
  return /["\r\n]/.test(value) || value.includes(delimiter) ? `"${value.replaceAll('"', '""')}"` : value;
}

async function firstLines(body, limit) {
  for (let size = SAMPLE; ; size *= 4) {
    const isWhole = size >= body.size;
    let first = [];
    for await (const { lines } of linesOf(body.slice(0, size), limit)) first = first.concat(lines);
    if (isWhole) return first;
    first.pop(); // it may be cut
    if (first.length > 1 || size > limit) return first;
  }
}

class Reader {
  constructor(table) {
    this.table = table;
    this.lines = []; // that are not records yet
    this.line = 1;
    this.offset = new TextEncoder().encode(table.mark).length;
    this.read = 0; // bytes
    this.wanted = 0; // bytes to read before it is worth looking for the end of an open record again
    this.skipRows = table.skipRows;
    this.rescanned = 0;
  }

  /** Yield the records of further lines, except for a last one that may continue. */
  *records(lines, isLast) {
    this.lines = this.lines.concat(lines);
    this.read += sizeOf(lines);
    if (this.read < this.wanted && !isLast) return;
    let place = 0;
    while (place < this.lines.length) {
      const { count, isOpen, ...record } = this.recordAt(place);
      if (isOpen && !isLast) {
        this.wanted = this.read + record.size;
        break;
      }
      const size = sizeOf(this.lines.slice(place, place + count));
      if (record.size > size) this.checkRescans(record.size);
      yield { ...record, line: this.line, offset: this.offset };
      this.offset += size;
      this.line += count;
      place += count;
    }
    this.lines = this.lines.slice(place);
  }

  // The record at a line, with the `count` of its lines.
  recordAt(place) {
    const { delimiter, columns, start, limit } = this.table;
    const first = this.lines[place];
    if (this.line <= start) return { ...rawOf([first]), isBlank: true };
    if (first.bytes.length > limit) {
      return { ...rawOf([first]), problem: `longer than ${limit} bytes; sentcli score --max-row-bytes reads it` };
    }
    const { end, fields, size, problem, isOpen } = recordAt(this.lines, place, delimiter, limit);
    if (problem) return { ...rawOf([first]), size, problem, isOpen };
    const record = rawOf(this.lines.slice(place, end));
    if (record.bytes) return { ...record, problem: "not UTF-8" };
    if (!fields.length) return { ...record, isBlank: true };
    if (this.line === start + 1) return { ...record, fields, isHeader: true };
    const isSkipped = this.skipRows > 0;
    this.skipRows -= isSkipped;
    if (fields.length === columns.length) return { ...record, fields, isSkipped };
    if (isSkipped) return { ...record, isBlank: true };
    const counted = `${fields.length.toLocaleString("en")} field${fields.length === 1 ? "" : "s"}`;
    return { ...record, problem: `${counted} instead of ${columns.length}` };
  }

  // The lines after the first one of a malformed record are parsed again.
  checkRescans(size) {
    this.rescanned += size;
    if (this.rescanned > RESCAN_LIMITS * this.table.limit + RESCAN_SHARE * this.offset) {
      throw new Error(`line ${this.line}: too many quotes are not closed; sentcli score --quotechar names another one`);
    }
  }
}

function rawOf(lines) {
  const raw = { count: lines.length, raw: lines.map((line) => line.text).join("") };
  return lines.some((line) => line.isBad) ? { ...raw, bytes: joined(lines.map((line) => line.bytes)) } : raw;
}

function sizeOf(lines) {
  return lines.reduce((size, line) => size + line.bytes.length, 0);
}

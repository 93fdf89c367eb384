// A Parquet file as rows of CSV: each value is spelled as `sentcli score -o OUT.csv` does.

import { parquetMetadataAsync, parquetRead, parquetSchema } from "hyparquet";
import { compressors } from "hyparquet-compressors";
import { quoted } from "./csv.js";

const DAY = 86_400_000;
const CHUNK = 8192; // rows
const UNITS = { MILLIS: 3, MICROS: 6, NANOS: 9 };

export class ParquetTable {
  format = "parquet";

  constructor(file, metadata) {
    Object.assign(this, { file, metadata });
    this.elements = parquetSchema(metadata).children;
    this.columns = this.elements.map(({ element }) => element.name);
  }

  static async open(file) {
    const buffer = { byteLength: file.size, size: file.size, slice: (start, end) => file.slice(start, end).arrayBuffer() };
    const metadata = await parquetMetadataAsync(buffer);
    for (const element of metadata.schema) keepDecimals(element);
    const table = new ParquetTable(buffer, metadata);
    table.sample = await table.read(0, Math.min(100, table.rows));
    return table;
  }

  get rows() {
    return Number(this.metadata.num_rows);
  }

  /** Yield `{records, done}`, as CsvTable does. */
  async *chunks() {
    const header = { isHeader: true, raw: `${this.columns.map(spelled).join(",")}\n` };
    yield { records: [header], done: 0 };
    let first = 0;
    for (const group of this.metadata.row_groups) {
      const last = first + Number(group.num_rows);
      const rows = await this.read(first, last);
      for (let start = 0; start < rows.length; start += CHUNK) {
        const records = rows.slice(start, start + CHUNK).map((fields) => ({ fields, line: 0 }));
        yield { records, done: (first + start + records.length) / this.rows };
      }
      first = last;
    }
  }

  extended(record, fields) {
    const line = record.isHeader ? record.raw.slice(0, -1) : record.fields.map(spelled).join(",");
    return `${[line, ...fields.map(spelled)].join(",")}\n`;
  }

  // Each value as text; a missing one of a column of strings stays null.
  async read(rowStart, rowEnd) {
    let rows = [];
    const onComplete = (complete) => (rows = complete);
    const options = { file: this.file, metadata: this.metadata, compressors, parsers, utf8: false };
    await parquetRead({ ...options, rowStart, rowEnd, onComplete });
    return rows.map((row) => row.map((value, place) => toText(value, this.elements[place].element)));
  }
}

function spelled(value) {
  return quoted(value ?? "", ",");
}

// hyparquet makes decimals floats, which have no 19.90. As plain integers, they keep their digits.
function keepDecimals(element) {
  if (element.converted_type !== "DECIMAL" && element.logical_type?.type !== "DECIMAL") return;
  element.decimals = element.scale ?? element.logical_type?.scale ?? 0;
  delete element.converted_type;
  delete element.logical_type;
}

class Spelled extends String {}
const parsers = {
  timestampFromMilliseconds: (count) => timeOf(count, UNITS.MILLIS),
  timestampFromMicroseconds: (count) => timeOf(count, UNITS.MICROS),
  timestampFromNanoseconds: (count) => timeOf(count, UNITS.NANOS),
  dateFromDays: (days) => (days == null ? days : new Spelled(new Date(days * DAY).toISOString().slice(0, 10))),
  jsonFromBytes: (bytes) => bytes && new Spelled(new TextDecoder().decode(bytes)),
};

function timeOf(count, digits) {
  if (count == null) return count;
  const unit = 10n ** BigInt(digits);
  const fraction = ((BigInt(count) % unit) + unit) % unit;
  const seconds = Number((BigInt(count) - fraction) / unit);
  const date = new Date(seconds * 1000).toISOString().slice(0, 19).replace("T", " ");
  return new Spelled(`${date}.${String(fraction).padStart(digits, "0")}`);
}

function toText(value, element) {
  if (value === null || value === undefined) return null;
  if (element.decimals !== undefined) return decimal(value, element.decimals);
  const [, unit] = /^TIME_(MILLIS|MICROS|NANOS)$/.exec(element.converted_type ?? unitOf(element)) ?? [];
  if (unit) return timeOf(value, UNITS[unit]).slice("1970-01-01 ".length);
  if (value instanceof Spelled) return `${value}${element.logical_type?.isAdjustedToUTC ? "Z" : ""}`;
  if (typeof value === "number") return number(value, element.type);
  if (typeof value === "object") return value instanceof Uint8Array ? base64(value) : JSON.stringify(value, plain);
  return String(value);
}

function unitOf({ logical_type: logical }) {
  return `${logical?.type}_${logical?.unit}`;
}

function number(value, type) {
  if (Number.isNaN(value)) return "nan";
  if (!Number.isFinite(value)) return value > 0 ? "inf" : "-inf";
  if (type === "FLOAT") value = shortest(value);
  return Number.isInteger(value) && ["FLOAT", "DOUBLE"].includes(type) ? value.toFixed(1) : String(value);
}

// The shortest digits that identify a number of 32 bits: 19.99.
function shortest(value) {
  const found = [6, 7, 8].map((digits) => Number(value.toPrecision(digits)));
  return found.find((short) => Math.fround(short) === value) ?? Number(value.toPrecision(9));
}

function decimal(value, scale) {
  const whole = value instanceof Uint8Array ? integer(value) : BigInt(value);
  const digits = String(whole < 0n ? -whole : whole).padStart(scale + 1, "0");
  const split = digits.length - scale;
  return `${whole < 0n ? "-" : ""}${digits.slice(0, split)}${scale ? `.${digits.slice(split)}` : ""}`;
}

function integer(bytes) {
  const whole = bytes.reduce((sum, byte) => sum * 256n + BigInt(byte), 0n);
  return BigInt.asIntN(8 * bytes.length, whole);
}

function base64(bytes) {
  return btoa(String.fromCharCode(...bytes));
}

// In JSON: whole numbers of 64 bits, bytes, times.
function plain(_, value) {
  if (typeof value === "bigint") return JSON.rawJSON?.(String(value)) ?? String(value);
  if (value instanceof Uint8Array) return base64(value);
  return value instanceof Spelled ? String(value) : value;
}

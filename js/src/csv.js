// A CSV file as rows that keep their own characters: a result is added to the end of each.

import Papa from "papaparse";

const SAMPLE = 1 << 18; // bytes that decide the delimiter
const PIECE = 1 << 18; // characters to parse at once
const MOST_OPEN = 16 << 20; // characters of a record, or of a quote that is not closed
const BOM = "\ufeff";

export class CsvTable {
  format = "csv";

  constructor(file, dialect, columns, sample) {
    Object.assign(this, { file, dialect, columns, sample });
  }

  /** Read the first rows of a file. */
  static async open(file) {
    const { value = "" } = await pieces(file.slice(0, SAMPLE), { isCut: file.size > SAMPLE }).next();
    const start = value.startsWith(BOM) ? value.slice(BOM.length) : value;
    const newline = start.includes("\n") || !start.includes("\r") ? "\n" : "\r";
    const dialect = { newline, delimiter: delimiterOf(start, newline) };
    const records = parse(start, dialect, file.size <= SAMPLE);
    const [header, ...rows] = records.filter((record) => !record.isBlank);
    if (!header || header.problem) throw new Error(`the file has no header: ${header?.problem ?? "it is empty"}`);
    const sample = rows.filter((row) => row.fields.length === header.fields.length).slice(0, 100);
    return new CsvTable(file, dialect, header.fields, sample.map((row) => row.fields));
  }

  /**
   * Yield `{records, done}`: some records and the share of the file that was read. A record has `fields`, or
   * a `problem` and the `line` at which it begins.
   */
  async *chunks() {
    let rest = null;
    let line = 1;
    let isHeader = true;
    const progress = { bytes: 0 };
    for await (const piece of pieces(this.file, { progress })) {
      if (rest === null && piece.startsWith(BOM)) yield { records: [{ raw: BOM, isBlank: true }], done: 0 };
      const text = rest === null && piece.startsWith(BOM) ? piece.slice(BOM.length) : (rest ?? "") + piece;
      const isLast = progress.bytes >= this.file.size;
      const records = parse(text, this.dialect, isLast);
      rest = text.slice(records.reduce((size, record) => size + record.raw.length, 0));
      if (rest.length > MOST_OPEN) throw new Error(`line ${line}: a quote is not closed`);
      for (const record of records) {
        record.line = line;
        line += record.raw.split(this.dialect.newline).length - 1;
        if (isHeader && !record.isBlank) {
          record.isHeader = true;
          isHeader = false;
        } else if (!record.isBlank && !record.problem && record.fields.length !== this.columns.length) {
          const count = record.fields.length;
          record.problem = `${count} field${count === 1 ? "" : "s"} instead of ${this.columns.length}`;
        }
      }
      yield { records, done: progress.bytes / this.file.size };
    }
  }

  /** Return a record with more fields before its line end. */
  extended(record, fields) {
    const [end] = record.raw.match(/(\r\n|\r|\n)?$/);
    const bare = record.raw.slice(0, record.raw.length - end.length);
    return [bare, ...fields.map((field) => this.quoted(field))].join(this.dialect.delimiter) + end;
  }

  quoted(value) {
    return quoted(value, this.dialect.delimiter);
  }
}

/** Return a value as a field of CSV. */
export function quoted(value, delimiter) {
  return /["\r\n]/.test(value) || value.includes(delimiter) ? `"${value.replaceAll('"', '""')}"` : value;
}

function delimiterOf(text, newline) {
  const delimitersToGuess = [",", "\t", ";", "|"];
  return Papa.parse(text, { preview: 20, newline, delimitersToGuess, skipEmptyLines: true }).meta.delimiter;
}

// Papa.parse of a file replaces bytes that are not UTF-8, and cuts characters at the borders of its chunks.
async function* pieces(blob, { isCut = false, progress = {} }) {
  const decoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });
  let text = "";
  progress.bytes = 0;
  for await (const bytes of blocks(blob)) {
    try {
      text += decoder.decode(bytes, { stream: true });
    } catch {
      throw notUtf8(progress.bytes, bytes.length);
    }
    progress.bytes += bytes.length;
    if (text.length >= PIECE && progress.bytes < blob.size) {
      yield text;
      text = "";
    }
  }
  try {
    text += isCut ? "" : decoder.decode();
  } catch {
    throw notUtf8(progress.bytes, 0);
  }
  if (text) yield text;
}

function notUtf8(start, length) {
  return new Error(`the file is not UTF-8: see the bytes ${start} to ${start + length}`);
}

// Not `for await (… of blob.stream())`, which Safari lacks.
async function* blocks(blob) {
  const reader = blob.stream().getReader();
  for (;;) {
    const { value, done } = await reader.read();
    if (done) return;
    yield value;
  }
}

// Papa.Parser is what Papa.parse runs for each chunk: `step` says where each record ends.
function parse(text, { delimiter, newline }, isLast) {
  const records = [];
  let start = 0;
  const step = ({ data: [fields], errors, meta: { cursor } }) => {
    const raw = text.slice(start, cursor);
    start = cursor;
    // Lines of a file may end in different ways; a carriage return before a newline belongs to the end.
    const last = fields.length - 1;
    if (/\r\n?$/.test(raw) && !raw.endsWith('"\r\n')) fields[last] = fields[last].replace(/\r$/, "");
    const problem = errors.length ? problemOf(errors[0].code) : undefined;
    records.push({ raw, fields, problem, isBlank: !problem && /^[\r\n]*$/.test(raw) });
  };
  new Papa.Parser({ delimiter, newline, step }).parse(text, 0, !isLast);
  if (isLast && records.at(-1)?.raw === "") records.pop(); // after the last line end
  return records;
}

function problemOf(code) {
  return code === "MissingQuotes" ? "a quote is not closed" : "text after a closing quote";
}

// A record of CSV, as Python's csv module reads it in strict mode.

const ESCAPED = "text after a closing quote; sentcli score --escapechar '\\' reads it";

/**
 * Return the record that begins at a line: `{start, end, fields, size, problem, isOpen}`. A blank line has no
 * fields. A record with a `problem` ends with the line that shows it; it `isOpen` if more lines may close its
 * quote.
 */
export function recordAt(lines, start, delimiter, limit = Infinity) {
  const record = { start, end: start, fields: [], size: 0, problem: "", isOpen: false };
  let open = null;
  do {
    const { text, bytes } = lines[record.end++];
    record.size += bytes.length;
    open = addFields(record.fields, text, open, delimiter);
  } while (open && record.size <= limit && lines[record.end]?.bytes.length <= limit);
  if (record.size > limit) record.problem = `a quote is not closed within the ${limit} bytes of --max-row-bytes`;
  else if (open === undefined) record.problem = afterQuote(lines[start].text);
  else if (open) record.problem = "a quote is not closed";
  record.isOpen = Boolean(open) && record.size <= limit && record.end === lines.length;
  if (record.problem) record.fields = [];
  return record;
}

function afterQuote(line) {
  return line.includes('\\"') ? ESCAPED : "text after a closing quote";
}

// Add the fields of a line to `fields`. Return `{value}`, the start of a field whose quote is not closed; null at
// the end of a record; undefined for text after a closing quote.
function addFields(fields, line, open, delimiter) {
  const stop = contentEnd(line);
  if (!stop && !open) return null;
  let place = 0;
  for (;;) {
    if (!open && line[place] !== '"') {
      const end = line.indexOf(delimiter, place);
      fields.push(line.slice(place, end < 0 ? stop : end));
      if (end < 0) return null;
      place = end + delimiter.length;
      continue;
    }
    if (!open) place++;
    open ??= { value: "" };
    const quote = line.indexOf('"', place);
    open.value += line.slice(place, quote < 0 ? line.length : quote);
    if (quote < 0) return open;
    place = quote + 1;
    if (line[place] === '"') {
      open.value += '"';
      place++;
      continue;
    }
    if (place < stop && !line.startsWith(delimiter, place)) return undefined;
    fields.push(open.value);
    if (place >= stop) return null;
    place += delimiter.length;
    open = null;
  }
}

function contentEnd(line) {
  let end = line.length;
  if (line[end - 1] === "\n") end--;
  if (line[end - 1] === "\r") end--;
  return end;
}

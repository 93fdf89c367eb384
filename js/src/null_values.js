// As in sentcli/text/null_values.py: texts that count as blank, in any case and with white space around them.
export const NULL_VALUES = [
  "#N/A", "#N/A N/A", "#NA", "<NA>", "N/A", "NA", "NaN", "-NaN", "NaT", "None", "NULL", "1.#IND", "-1.#IND",
  "1.#QNAN", "-1.#QNAN", "\\N", "(null)", "[null]", "<null>", "(none)", "<none>", "nil", "undefined",
  "#NULL!", "#REF!", "#VALUE!", "#DIV/0!", "#NUM!", "#NAME?", "#ERROR!", "#CALC!", "#SPILL!", "(blank)",
  "-", "--", "---", ".", "..", "...", "?", "??", "???", "n.a.", "n.a", "n\\a", "n / a", "n/d", "(empty)",
  "blank", "missing", "unknown", "not applicable", "not provided", "not specified", "not stated",
  "no answer", "no comment", "no comments", "no response", "no review", "no text",
];

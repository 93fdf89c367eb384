// As in sentcli/text/null_values.txt: texts that count as blank, in any case, with white space around,
// with a full stop, and in brackets.
export const NULL_VALUES = [
  "#N/A", "#N/A N/A", "#NA", "<NA>", "N/A", "NA", "NaN", "-NaN", "NaT", "None", "NULL", "1.#IND", "-1.#IND",
  "1.#QNAN", "-1.#QNAN", "\\N", "nil", "undefined", "#NULL!", "#REF!", "#VALUE!", "#DIV/0!", "#NUM!", "#NAME?",
  "#ERROR!", "#CALC!", "#SPILL!", "[deleted]", "[removed]", "[deleted by user]", "[removed by moderator]",
  "[ removed by reddit ]", "this message was deleted", "you deleted this message", "<media omitted>", "-", "--",
  "---", ".", "..", "...", "?", "??", "???", "n.a.", "n.a", "n\\a", "n / a", "n/d", "(empty)", "x", "xx", "xxx",
  "blank", "missing", "unknown", "not applicable", "not provided", "not specified", "not stated", "no answer",
  "no comment", "no comments", "no response", "no review", "no text", "no feedback", "no opinion", "no remarks",
  "no further comment", "no further comments", "no additional comment", "no additional comments",
  "no other comment", "no other comments", "nothing to add", "nothing else to add", "nothing more to add",
  "nothing further to add", "nothing further", "nothing more", "nothing else", "nothing to say",
  "nothing to comment", "nothing to report", "none at this time", "nothing at this time", "not at this time",
  "no idea", "idk", "dunno", "dont know", "don't know", "don’t know", "i dont know", "i don't know", "i don’t know",
  "prefer not to say", "prefer not to answer", "see above", "as above", "same as above", "see below",
  "see previous", "ditto",
];

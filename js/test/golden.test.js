// What sentcli reads in odd texts: tests/js/test_golden_ids.py writes the file.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { Encoder } from "../src/encoder.js";
import { wordsOf } from "../src/normalize.js";
import { piecesOf, sentencesOf } from "../src/pieces.js";

const golden = JSON.parse(readFileSync(new URL("golden.json", import.meta.url), "utf8"));
const encoder = new Encoder(golden.vocabulary, golden.config);
const spelled = (text, spans) => spans.map(({ start, end }) => text.slice(start, end));

for (const { text, words, ids, pieces, sentences } of golden.texts) {
  test(JSON.stringify(text), () => {
    assert.deepEqual(wordsOf(text), words);
    assert.deepEqual(encoder.encode(text), ids);
    assert.deepEqual(spelled(text, piecesOf(text)), pieces);
    assert.deepEqual(spelled(text, sentencesOf(text)), sentences);
  });
}

test("a model with other rules for texts is refused", () => {
  const config = { ...golden.config, text: { ...golden.config.text, normalizer: "sentcli-2" } };
  assert.throws(() => new Encoder(golden.vocabulary, config), /sentcli-2/);
});

test("a vocabulary of another model is refused", () => {
  assert.throws(() => new Encoder(`${golden.vocabulary}more\n`, golden.config), /lines instead of/);
});

import assert from "node:assert/strict";
import { test } from "node:test";
import { Scorer } from "../src/scorer.js";

const vocabulary = "<pad>\n<unk>\ngood\nbad\n1\nnot\nnot good\n";
const text = { max_tokens: 8, normalizer: "sentcli-1", tokenizer: "basic_english" };
const config = { model: { vocab_size: 7 }, text, labels: ["negative", "positive"], neutral: [0.25, 0.75] };
const rows = [];

class Tensor {
  constructor(type, data, dims) {
    Object.assign(this, { type, data, dims });
  }
}

// A graph whose logits depend on the first id and the length of a text.
function scorer(outputs, changes = {}) {
  const run = async ({ input_ids: ids, lengths }) => {
    const [count, longest] = ids.dims;
    assert.equal(lengths.data.length, count);
    rows.push(count);
    const firsts = [...Array(count).keys()].map((row) => Number(ids.data[row * longest]));
    const entries = Object.entries(outputs).map(([name, of]) => {
      const values = firsts.map((id, row) => of(id, lengths.data[row]));
      return [name, { data: Float32Array.from(values.flat()), dims: [count, values[0].length] }];
    });
    return Object.fromEntries(entries);
  };
  const session = { outputNames: Object.keys(outputs), run };
  return new Scorer({ Tensor }, session, vocabulary, { ...config, ...changes });
}

const logits = (id) => [0, id === 2 ? 2 : id === 3 ? -2 : 0.5];

test("texts keep their order, and empty ones have no label", async () => {
  const texts = ["bad", "", null, "N/A", "1 !", "good 1 1 1", "good"];
  const found = await scorer({ logits }).score(texts);
  assert.deepEqual(found.map((each) => each?.label), ["negative", ...Array(4).fill(undefined), "positive", "positive"]);
  assert.ok(Math.abs(found[0].score - 1 / (1 + Math.exp(2))) < 1e-6);
});

test("a single text is run twice, as in sentcli", async () => {
  rows.length = 0;
  await scorer({ logits }).score(["good"]);
  assert.deepEqual(rows, [2]);
});

test("the band of the model makes texts neutral, without a change of the score", async () => {
  const found = await scorer({ logits }).score(["good", "not bad"], { neutral: true });
  assert.deepEqual(found.map(({ label }) => label), ["positive", "neutral"]);
  assert.ok(found[1].score > 0.6);
});

test("a neutral head has the last word, and further outputs do not matter", async () => {
  const outputs = { more: () => [1], neutral_logits: (id) => (id === 2 ? [0, 5, 0] : [5, 0, 0]), logits };
  const found = scorer(outputs, { neutral: null });
  assert.deepEqual((await found.score(["good"], { neutral: true }))[0].label, "neutral");
  assert.deepEqual((await found.score(["good"]))[0].label, "positive");
});

test("of three labels, the score is that of the most probable one", async () => {
  const found = scorer({ logits: () => [0, 3, 1] }, { labels: ["one", "two", "three"], neutral: null });
  const [{ label, score }] = await found.score(["good"]);
  assert.equal(label, "two");
  assert.ok(score > 0.8);
  await assert.rejects(found.score(["good"], { neutral: true }), /no neutral/);
});

// Labels and scores of texts, by the graph of a model in onnxruntime-web.

import { Encoder } from "./encoder.js";

const BATCH_ROWS = 128;
const BATCH_TOKENS = 32768; // padding included

export class Scorer {
  /**
   * @param {object} ort onnxruntime
   * @param {object} session the session of model.onnx
   */
  constructor(ort, session, vocabulary, config) {
    this.ort = ort;
    this.session = session;
    this.encoder = new Encoder(vocabulary, config);
    this.labels = config.labels;
    this.hasHead = session.outputNames.includes("neutral_logits");
    this.band = config.neutral;
  }

  /** Whether the model can label texts as neutral. */
  get canBeNeutral() {
    return this.labels.length === 2 && !this.labels.includes("neutral") && (this.hasHead || Boolean(this.band));
  }

  /** Load a model from the contents of its files. */
  static async load(ort, model, vocabulary, config) {
    const session = await ort.InferenceSession.create(model, { executionProviders: ["wasm"] });
    return new Scorer(ort, session, vocabulary, config);
  }

  /**
   * Return `{label, score}` for each text, or null for an empty one. The score is the probability of the
   * second of two labels, or of the most probable one of more.
   *
   * @param {(string | null | undefined)[]} texts
   * @param {{neutral?: boolean}} options neutral: use the model's neutral head, or its band of scores
   */
  async score(texts, { neutral = false } = {}) {
    if (neutral && !this.canBeNeutral) throw new Error("the model has no neutral label");
    const encoded = texts.map((text) => this.encoder.encode(text ?? ""));
    const rows = [...encoded.keys()].filter((row) => encoded[row].length);
    const outputs = await this.run(rows.map((row) => encoded[row]));
    const results = new Array(texts.length).fill(null);
    rows.forEach((row, place) => (results[row] = this.result(outputs[place], neutral)));
    return results;
  }

  result({ logits, neutral_logits: head }, neutral) {
    const probabilities = softmax(logits);
    const best = largest(probabilities);
    const score = probabilities[probabilities.length > 2 ? best : 1];
    const sides = [this.labels[0], "neutral", this.labels[1]];
    if (!neutral) return { label: this.labels[best], score };
    if (head) return { label: sides[largest(softmax(head))], score };
    const [low, high] = this.band;
    return { label: sides[(score >= low) + (score > high)], score };
  }

  /** Return for each sequence of ids an object with the outputs of the graph, by their names. */
  async run(sequences) {
    const order = [...sequences.keys()].sort((a, b) => sequences[b].length - sequences[a].length);
    const results = new Array(sequences.length);
    for (let start = 0; start < order.length; ) {
      const most = Math.floor(BATCH_TOKENS / sequences[order[start]].length);
      const rows = order.slice(start, start + Math.max(1, Math.min(BATCH_ROWS, most)));
      const outputs = await this.runBatch(rows.map((row) => sequences[row]));
      rows.forEach((row, place) => (results[row] = outputs[place]));
      start += rows.length;
    }
    return results;
  }

  async runBatch(batch) {
    // onnxruntime may round the product of a single row differently.
    const rows = batch.length === 1 ? [batch[0], batch[0]] : batch;
    const longest = Math.max(...rows.map((ids) => ids.length));
    const ids = new BigInt64Array(rows.length * longest);
    const low = new Int32Array(ids.buffer); // the low halves of little-endian numbers, faster than BigInt
    rows.forEach((row, place) => row.forEach((id, step) => (low[2 * (place * longest + step)] = id)));
    const { Tensor } = this.ort;
    const inputs = {
      input_ids: new Tensor("int64", ids, [rows.length, longest]),
      lengths: new Tensor("int32", Int32Array.from(rows, (row) => row.length), [rows.length]),
    };
    const outputs = Object.entries(await this.session.run(inputs));
    return batch.map((_, row) =>
      Object.fromEntries(
        outputs.map(([name, { data, dims }]) => [name, data.slice(row * dims[1], (row + 1) * dims[1])]),
      ),
    );
  }
}

function softmax(logits) {
  const top = Math.max(...logits);
  const powers = Array.from(logits, (logit) => Math.exp(logit - top));
  const sum = powers.reduce((total, power) => total + power);
  return powers.map((power) => power / sum);
}

function largest(values) {
  return values.indexOf(Math.max(...values));
}

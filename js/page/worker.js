// The worker of the page: it holds the model, and reads and scores files.

import * as ort from "onnxruntime-web/wasm";
import { Explainer } from "../src/explain.js";
import { Report } from "../src/report/rows.js";
import { Scorer } from "../src/scorer.js";
import { likelyTexts, openTable, scoreTable } from "../src/table.js";

let scorer;
let explainer;
let report; // of the file that was scored last
let isStopped;

const actions = {
  async load({ runtime, model, vocabulary, config }) {
    ort.env.wasm.numThreads = 1; // more need headers that simple hosts do not send
    ort.env.wasm.wasmBinary = runtime;
    scorer = await Scorer.load(ort, new Uint8Array(model), vocabulary, config);
    ort.env.wasm.wasmBinary = undefined; // 14 MB
    explainer = new Explainer(scorer);
    return { labels: scorer.labels, canBeNeutral: scorer.canBeNeutral };
  },
  explain: ({ text, options }) => explainer.explain(text, options),
  scores: ({ texts, options }) => scorer.score(texts, options),
  async open({ file }) {
    const table = await openTable(file);
    return { columns: table.columns, likely: likelyTexts(table), sample: table.sample.slice(0, 5) };
  },
  async score({ file, column, options }, tell) {
    isStopped = false;
    const table = await openTable(file);
    report = scorer.labels.length === 2 ? new Report(explainer, table, column) : null;
    const seen = (rows, results) => report?.add(rows, results);
    return scoreTable(table, scorer, column, { ...options, seen }, async (counts) => {
      tell(counts);
      await new Promise((next) => setTimeout(next)); // lets other messages in
      if (isStopped) throw new Error("stopped");
    });
  },
  async report({ title, rejected }) {
    return report && new Blob([await report.page(title, MODEL, rejected)], { type: "text/html" });
  },
  stop: () => void (isStopped = true),
};

addEventListener("message", async ({ data: { id, action, ...values } }) => {
  try {
    postMessage({ id, result: await actions[action](values, (report) => postMessage({ id, report })) });
  } catch (error) {
    postMessage({ id, error: error.message ?? String(error) });
  }
});

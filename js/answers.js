// Explain the texts of a JSON file with a model folder: `node answers.js TEXTS.json MODEL`. Prints JSON.

import { readFileSync } from "node:fs";
import * as ort from "onnxruntime-web/wasm";
import { Explainer } from "./src/explain.js";
import { Scorer } from "./src/scorer.js";

const [texts, model] = process.argv.slice(2);
const read = (name) => readFileSync(`${model}/${name}`, "utf8");

ort.env.wasm.numThreads = 1;
const runtime = "./node_modules/onnxruntime-web/dist/ort-wasm-simd-threaded.wasm";
ort.env.wasm.wasmBinary = readFileSync(new URL(runtime, import.meta.url));
const graph = readFileSync(`${model}/model.onnx`);
const scorer = await Scorer.load(ort, graph, read("vocab.txt"), JSON.parse(read("config.json")));
const explainer = new Explainer(scorer);
const answers = [];
for (const text of JSON.parse(readFileSync(texts, "utf8"))) {
  const spelled = ({ start, end, ...rest }) => ({ ...rest, text: text.slice(start, end) });
  const found = await explainer.explain(text, { neutral: scorer.canBeNeutral });
  const lists = ["words", "phrases", "sentences"].map((name) => [name, found?.[name].map(spelled)]);
  answers.push(found && { ...found, ...Object.fromEntries(lists) });
}
console.log(JSON.stringify(answers));

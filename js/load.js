// Load a model folder in Node.js.

import { readFileSync } from "node:fs";
import * as ort from "onnxruntime-web/wasm";
import { Scorer } from "./src/scorer.js";

/** Return the scorer of a model folder. */
export function loadScorer(model) {
  const read = (name) => readFileSync(`${model}/${name}`, "utf8");
  const runtime = "./node_modules/onnxruntime-web/dist/ort-wasm-simd-threaded.wasm";
  ort.env.wasm.numThreads = 1;
  ort.env.wasm.wasmBinary = readFileSync(new URL(runtime, import.meta.url));
  return Scorer.load(ort, readFileSync(`${model}/model.onnx`), read("vocab.txt"), JSON.parse(read("config.json")));
}

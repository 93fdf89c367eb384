// Explain the texts of a JSON file with a model folder: `node answers.js TEXTS.json MODEL`. Prints JSON.

import { readFileSync } from "node:fs";
import { loadScorer } from "./load.js";
import { Explainer } from "./src/explain.js";

const [texts, model] = process.argv.slice(2);
const scorer = await loadScorer(model);
const explainer = new Explainer(scorer);
const answers = [];
for (const text of JSON.parse(readFileSync(texts, "utf8"))) {
  const spelled = ({ start, end, ...rest }) => ({ ...rest, text: text.slice(start, end) });
  const found = await explainer.explain(text, { neutral: scorer.canBeNeutral });
  const lists = ["words", "phrases", "sentences"].map((name) => [name, found?.[name].map(spelled)]);
  answers.push(found && { ...found, ...Object.fromEntries(lists) });
}
console.log(JSON.stringify(answers));

// The page: a text with its explanation, and a file with its scores.

import { ask, load } from "./client.js";

const PAUSE = 200; // milliseconds after the last key
const MOST_PHRASES = 12;
const FULL = 3; // log odds of the strongest shade
const MOST_SHOWN = 240; // characters of a text in the table
const find = (id) => document.getElementById(id);
const number = new Intl.NumberFormat("en");
let labels;

function element(name, attributes = {}, ...children) {
  const made = Object.assign(document.createElement(name), attributes);
  made.append(...children);
  return made;
}

function options() {
  return { neutral: find("neutral").checked };
}

const WORDS = { pos: "good", neg: "bad", neu: "quiet" }; // classes of words in the color of a side

// The color of a label: of two, the second one is good.
function side(label) {
  if (label === "neutral") return "neu";
  return labels.length === 2 && label === labels[0] ? "neg" : "pos";
}

// --- a text ---

let isExplaining = false;
let isOutdated = false;
let timer;

async function showExplanation() {
  isOutdated = isExplaining;
  if (isExplaining) return;
  isExplaining = true;
  const text = find("text").value;
  try {
    const explanation = await ask("explain", { text, options: options() });
    find("explanation").replaceChildren(...explained(text, explanation));
  } catch (error) {
    find("explanation").replaceChildren(element("p", { className: "error" }, error.message));
  }
  isExplaining = false;
  if (isOutdated) showExplanation();
}

function explained(text, explanation) {
  if (!explanation) {
    const reason = text.trim() ? "No score: the model knows no word of this text." : "Type a text to see its score.";
    return [element("p", { className: "quiet" }, reason)];
  }
  const { label, score, phrases, words, sentences } = explanation;
  const parts = [verdict(label, score), marked(text, phrases, words)];
  if (phrases.length) parts.push(partsOf(text, phrases));
  if (sentences.length > 1) {
    const rows = sentences.map((sentence) => ({ ...sentence, text: text.slice(sentence.start, sentence.end) }));
    parts.push(element("h3", {}, "Each sentence alone"), table(rows));
  }
  return parts;
}

function verdict(label, score) {
  const scale = element("span", { className: `scale ${side(label)}` }, element("i"));
  scale.style.setProperty("--score", `${100 * score}%`);
  const value = element("span", { className: "number", title: "the score" }, score.toFixed(3));
  return element("p", { className: "verdict" }, element("b", {}, label), value, scale);
}

function marked(text, phrases, words) {
  const shown = element("p", { className: "read" });
  const unknown = words.filter((word) => !word.isKnown);
  let end = 0;
  for (const word of [...phrases, ...unknown].sort((one, other) => one.start - other.start)) {
    if (word.start < end) continue;
    shown.append(text.slice(end, word.start), mark(text.slice(word.start, word.end), word));
    end = word.end;
  }
  shown.append(text.slice(end));
  return shown;
}

function mark(text, { part, isKnown }) {
  if (!isKnown) return element("span", { className: "unknown", title: "unknown to the model" }, text);
  const made = element("mark", { className: part > 0 ? "for" : "against", title: signed(part) }, text);
  made.style.setProperty("--part", `${Math.min(100, (100 * Math.abs(part)) / FULL)}%`);
  return made;
}

function partsOf(text, phrases) {
  const items = phrases.slice(0, MOST_PHRASES).map(({ start, end, part }) => {
    const value = element("b", { className: part > 0 ? "good" : "bad" }, signed(part));
    return element("li", {}, value, ` ${text.slice(start, end)}`);
  });
  return element("ul", { className: "parts" }, ...items);
}

function signed(part) {
  return `${part > 0 ? "+" : "−"}${Math.abs(part).toFixed(2)}`;
}

function table(rows) {
  const head = element("tr", {}, ...["label", "score", "text"].map((name, place) => {
    return element("th", { scope: "col", className: ["label", "number", ""][place] }, name);
  }));
  const body = rows.map(({ label, score, text }) => {
    const name = element("td", { className: label ? WORDS[side(label)] : "quiet" }, label ?? "none");
    const value = element("td", { className: "number" }, label ? score.toFixed(3) : "");
    return element("tr", {}, name, value, element("td", {}, element("bdi", {}, shortened(text ?? ""))));
  });
  return element("table", { className: "rows" }, element("thead", {}, head), element("tbody", {}, ...body));
}

function shortened(text) {
  return text.length > MOST_SHOWN ? `${text.slice(0, MOST_SHOWN)}…` : text;
}

// --- a file ---

let file;
let opened;
let downloads = [];

async function openFile(chosen) {
  file = chosen;
  show("choice", false);
  show("preview", false);
  find("result").replaceChildren();
  find("name").textContent = `${file.name} (${size(file.size)})`;
  say("Reading…");
  try {
    opened = await ask("open", { file });
  } catch (error) {
    say(`${file.name}: ${error.message}`, true);
    return;
  }
  const names = opened.columns.map((name, place) => element("option", { value: place }, name || `column ${place + 1}`));
  find("column").replaceChildren(...names);
  find("column").value = opened.likely;
  say("");
  show("choice", true);
  showSample();
}

function showSample() {
  const values = opened.sample.map((row) => row[find("column").value]).filter(Boolean);
  const shown = values.map((value) => (value.length > 100 ? `${value.slice(0, 100)}…` : value)).slice(0, 3);
  find("preview").textContent = shown.length ? `For example: ${shown.map((value) => `“${value}”`).join(", ")}` : "";
  show("preview", true);
}

async function scoreFile() {
  const begun = performance.now();
  const column = Number(find("column").value);
  const said = (rows) => {
    const seconds = (performance.now() - begun) / 1000;
    return `${counted(rows)} in ${seconds.toFixed(1)} s${seconds > 1 ? `, ${number.format(Math.round(rows / seconds))} rows/s` : ""}`;
  };
  setScoring(true);
  find("result").replaceChildren();
  try {
    const result = await ask("score", { file, column, options: options() }, ({ done, rows, rejected }) => {
      find("progress").value = done;
      say(said(rows) + (rejected ? `, ${counted(rejected)} could not be read` : ""));
    });
    const scored = said(result.rows);
    say(`${scored}. Making the report…`);
    find("result").replaceChildren(...results(result));
    const page = await ask("report", { title: file.name, rejected: result.rejected });
    if (page) find("result").prepend(...linksOf(page));
    say(scored);
  } catch (error) {
    say(error.message === "stopped" ? "Stopped." : `${file.name}: ${error.message}`, error.message !== "stopped");
  }
  setScoring(false);
}

function setScoring(isScoring) {
  for (const id of ["progress", "stop"]) show(id, isScoring);
  for (const id of ["start", "column", "file", "neutral", "take"]) find(id).disabled = isScoring;
  find("progress").value = 0;
}

function results({ rows, empty, rejected, labels: counts, output, rejects, first, firstRejects }) {
  const bare = file.name.replace(/\.[^.]*$/, "");
  const parts = [link(output, `${bare}-scored.${file.name.endsWith(".tsv") ? "tsv" : "csv"}`)];
  if (rejected) {
    const text = `${counted(rejected)} could not be read: `;
    parts.push(element("p", { className: "error" }, text, link(rejects, `${bare}-rejects.jsonl`, "")));
    const items = firstRejects.map(({ line, problem, raw }) => {
      return element("li", {}, `line ${number.format(line)}: ${problem}: `, element("bdi", {}, shortened(raw)));
    });
    parts.push(element("ul", { id: "rejected" }, ...items));
  }
  const given = rows - empty;
  const names = [labels[0], "neutral", ...labels.slice(1)].filter((name) => counts[name]);
  const share = (count) => `${((100 * count) / given).toFixed(1)}%`;
  const stack = element("div", { className: "stack tall" }, ...names.map((name) => bar(name, share(counts[name]))));
  const key = names.map((name) => {
    const count = `${name} ${share(counts[name])} (${number.format(counts[name])})`;
    return element("span", {}, element("i", { className: side(name) }), count);
  });
  if (empty) key.push(element("span", {}, `no score: ${number.format(empty)} empty`));
  parts.push(stack, element("p", { className: "key" }, ...key));
  if (first.length) parts.push(element("h3", {}, "The first rows"), table(first));
  return parts;
}

// The report in a tab of its own, and as a file.
function linksOf(page) {
  const saved = link(page, "report.html");
  const text = "Open the report";
  return [element("a", { href: saved.href, target: "_blank", className: "download", id: "report" }, text), saved];
}

function bar(name, width) {
  const made = element("i", { className: side(name), title: `${name} ${width}` });
  made.style.width = width;
  return made;
}

function link(blob, name, className = "download") {
  const href = URL.createObjectURL(blob);
  downloads.push(href);
  return element("a", { href, download: name, className }, className ? `Download ${name}` : name);
}

function counted(rows) {
  return `${number.format(rows)} row${rows === 1 ? "" : "s"}`;
}

function size(bytes) {
  return bytes < 1e6 ? `${number.format(Math.ceil(bytes / 1e3))} kB` : `${(bytes / 1e6).toFixed(1)} MB`;
}

function say(message, isError = false) {
  find("file-status").textContent = message;
  find("file-status").className = isError ? "error" : "quiet";
}

function show(id, isShown) {
  find(id).hidden = !isShown;
}

function choose(chosen) {
  if (!chosen || find("file").disabled) return;
  downloads.forEach((href) => URL.revokeObjectURL(href));
  downloads = [];
  openFile(chosen);
}

function listen() {
  find("text").addEventListener("input", () => {
    clearTimeout(timer);
    timer = setTimeout(showExplanation, PAUSE);
  });
  find("neutral").addEventListener("change", showExplanation);
  for (const button of find("examples").children) {
    button.addEventListener("click", () => {
      find("text").value = button.textContent;
      showExplanation();
    });
  }
  find("file").addEventListener("change", () => {
    choose(find("file").files[0]);
    find("file").value = ""; // so that the same file can be chosen again
  });
  find("take").addEventListener("click", () => {
    const lines = find("lines").value.split("\n").filter((line) => line.trim());
    const rows = ["text", ...lines].map((line) => `"${line.replaceAll('"', '""')}"\n`);
    if (lines.length) choose(new File(rows, "pasted.csv"));
  });
  find("column").addEventListener("change", showSample);
  find("start").addEventListener("click", scoreFile);
  find("stop").addEventListener("click", () => ask("stop", {}));
  addEventListener("dragover", (event) => {
    event.preventDefault();
    find("drop").classList.add("over");
  });
  addEventListener("dragleave", () => find("drop").classList.remove("over"));
  addEventListener("drop", (event) => {
    event.preventDefault();
    find("drop").classList.remove("over");
    choose(event.dataTransfer.files[0]);
  });
}

async function begin() {
  find("status").textContent = `Loading the model (${MEGABYTES} MB, less where the server compresses)…`;
  try {
    const model = await load();
    labels = model.labels;
    find("second").textContent = labels.length === 2 ? labels[1] : "the label";
    show("neutral-option", model.canBeNeutral);
    for (const id of ["text", "file", "lines"]) find(id).disabled = false;
    find("status").hidden = true;
    listen();
    showExplanation();
  } catch (error) {
    find("status").textContent = `The model cannot be loaded: ${error.message}`;
    find("status").className = "error";
  }
}

begin();

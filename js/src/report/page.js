// The parts of a page that need the model: texts whose words are shaded, as in sentcli/report/page.py.

import { phrasesOf } from "../explain.js";

const EXCERPT = 380; // characters of a text
const [MOST_MARKS, FULL] = [12, 2.5]; // shaded phrases; log odds of the strongest shade
const BLANK = /<\/?(?:br|p|div|li|ul|b|i|em|strong|span)\s*\/?>|\s+/giu;

/** Return an excerpt of a text in spans, each with the part from -1 to 1 of the words that decided. */
export async function shaded(explainer, text) {
  const found = phrasesOf(text, await explainer.words(text, false)).slice(0, MOST_MARKS);
  const characters = [...text];
  // Places count characters, as in Python, and not halves of them.
  const placeOf = (place) => (characters.length === text.length ? place : [...text.slice(0, place)].length);
  const words = found.map(({ start, end, part }) => ({ start: placeOf(start), end: placeOf(end), part }));
  let [start, end] = [0, characters.length];
  if (end > EXCERPT) {
    const center = words.length ? Math.floor((words[0].start + words[0].end) / 2) : 0;
    start = Math.max(0, Math.min(center - EXCERPT / 2, end - EXCERPT));
    end = Math.max(lastBlank(characters, start + EXCERPT / 2, start + EXCERPT), start + EXCERPT / 2);
    if (start) start += characters.slice(start, center).indexOf(" ") < 0 ? -start : characters.slice(start, center).indexOf(" ") + 1;
  }
  const spelled = (from, to) => characters.slice(from, to).join("").replace(BLANK, " ");
  const spans = [["… ".repeat(start > 0), 0]];
  for (const word of words.sort((one, other) => one.start - other.start)) {
    const [first, last] = [Math.max(word.start, start), Math.min(word.end, end)];
    if (first >= last) continue;
    spans.push([spelled(start, first), 0], [spelled(first, last), Math.max(-1, Math.min(1, word.part / FULL))]);
    start = last;
  }
  return [...spans, [spelled(start, end) + (end < characters.length ? " …" : ""), 0]];
}

function lastBlank(characters, start, end) {
  const place = characters.slice(start, end).lastIndexOf(" ");
  return place < 0 ? place : start + place;
}

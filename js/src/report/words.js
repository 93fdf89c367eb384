// Find the words that texts use for their subjects, as in sentcli/report/words.py.

import { lists } from "package:report";
import { split, wordsOf } from "../normalize.js";
import { count } from "./labels.js";
import { formsOf } from "./phrases.js";

const [FEWEST, FEWEST_SHARE] = [5, 1 / 200]; // uses of a word, and their number by that of clauses
const [LISTED, NOUN] = [0.03, 0.2]; // the least evidence for a noun: of a word of the list, and of another
const JUDGES = 1.5; // log odds alone: of a word that is no subject, but may stand before one, as in "tiny room"
const PAIR_SHARE = 0.4; // of the uses of one of its words, from which on a pair is a subject
const NAME_SHARE = 0.5; // of uses with a capital, of a name

// The evidence for a noun: the word before it. Nor does another content word follow it.
const EVIDENCE = new Map([
  ..."the a an my our your their his her its this that these those no any some every each".split(" ").map((word) => [word, 1]),
  ..."of for with in on at from about".split(" ").map((word) => [word, 0.5]),
  ["", 0.05],
]);
const FORMS = /(ly|ed|ing)$/; // words that are rarely subjects
const NAME = /(?<=[a-z,] )[A-Z][\p{L}\p{N}_]+/gu;
const EMPTY = new Set(split(lists.empty_words));
const GENERAL = new Set(split(lists.general_words));

/** Return the words of the subjects that clauses may be about, by the names of the subjects: a Map. */
export async function findSubjects(clauses, logOdds) {
  const texts = clauses.map((clause) => ["", ...wordsOf(clause), "", ""]);
  const counts = new Map();
  for (const words of texts) for (const word of words) count(counts, word);
  const frequent = [...counts].filter(([word, uses]) => word && uses >= FEWEST).map(([word]) => word);
  const odds = await logOdds(frequent);
  const judging = new Set(frequent.filter((_, place) => Math.abs(odds[place]) >= JUDGES));
  const { evidence, pairs } = usesOf(texts, judging);
  const names = new Map();
  for (const clause of clauses) for (const [name] of clause.matchAll(NAME)) count(names, name.toLowerCase());
  const least = Math.max(FEWEST, FEWEST_SHARE * clauses.length);
  const parts = [...pairs].flatMap(([pair, uses]) =>
    pair.split(" ").filter((word) => uses >= Math.max(least, PAIR_SHARE * counts.get(word))).map((word) => [pair, word]),
  );
  const nameWords = [...names].filter(([name, uses]) => uses >= NAME_SHARE * (counts.get(name) ?? 0)).map(([name]) => name);
  const excluded = new Set([...judging, ...nameWords, ...parts.map(([, word]) => word)]);
  const words = frequent.filter((word) => isContent(word) && counts.get(word) >= least && !excluded.has(word));
  const uses = new Map(words.map((word) => [word, counts.get(word)]));
  for (const [pair] of parts) uses.set(pair, pairs.get(pair));
  const nouns = [...uses.keys()]
    .filter((noun) => (evidence.get(noun) ?? 0) >= NOUN * uses.get(noun))
    .filter((noun) => !GENERAL.has(noun.split(" ").at(-1)) && !FORMS.test(noun));
  const lines = lists.subjects.split("\n").filter((line) => line && !line.startsWith("#"));
  const listed = lines.map((line) => line.split(", "));
  // A frequent word of the list has to be a noun here too.
  const isSubject = (word) => {
    const found = counts.get(word) ?? 0;
    return found < FEWEST || (evidence.get(word) ?? 0) >= LISTED * found;
  };
  const subjects = new Map(listed.map((own) => [own[0], own.filter(isSubject)]));
  const known = new Set([...listed.flat().flatMap(formsOf), ...nouns.flatMap((noun) => formsOf(noun).slice(1))]);
  // After a word of the list often stands its verb: "the receptionist sat".
  const added = nouns.filter((noun) => !known.has(noun) && !known.has(noun.split(" ")[0]));
  for (const noun of added) subjects.set(noun, [noun]);
  return subjects;
}

const isContent = (word) => word.length > 1 && /^\p{L}+$/u.test(word) && !EMPTY.has(word);

// The evidence that words and pairs are nouns, and how often pairs of content words stand.
function usesOf(texts, judging) {
  const [evidence, pairs, contents] = [new Map(), new Map(), new Map()];
  const isOf = (word) => contents.get(word) ?? contents.set(word, isContent(word)).get(word);
  for (const words of texts) {
    for (let place = 1; place < words.length - 1; place++) {
      const [before, word, after, then] = [words[place - 1], words[place], words[place + 1], words[place + 2] ?? ""];
      const sure = judging.has(before) ? 1 : (EVIDENCE.get(before) ?? 0);
      if (!isOf(after)) count(evidence, word, sure);
      else if (isOf(word) && !judging.has(word)) {
        count(pairs, `${word} ${after}`);
        count(evidence, `${word} ${after}`, isOf(then) ? 0 : sure);
      }
    }
  }
  return { evidence, pairs };
}

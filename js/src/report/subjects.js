// What reviews say of subjects, as in sentcli/report/subjects.py.

import { clausesOf } from "../pieces.js";
import { shareOf } from "./evidence.js";
import { againstRest, Finding, judged } from "./findings.js";
import { count, lengthOf, order, sortedBy } from "./labels.js";
import { formsOf, Phrases } from "./phrases.js";
import { findSubjects } from "./words.js";

const MOST_CHARACTERS = 2_000_000; // of all texts that are read
const CLEAR = 1; // log odds of a clause that praises or complains
const [FEWEST, FEWEST_SHARE] = [5, 1 / 200]; // texts that praise or complain of a subject, and their share of all
const MOST_COMPLAINTS = 0.6; // in the texts that judge a subject of praise
const LEAST_EFFECT = 0.004; // on the share of positive reviews; of thousands, a smaller one may be chance
const [FALLS, RISES] = [0.001, 0.002]; // the largest p of all falls and rises of complaints that are named
const [SHORTEST, LONGEST, TYPICAL] = [40, 190, 80]; // characters of a quote
const CLEAREST = 4; // log odds beyond which all clauses are alike
const [SUBJECTS, QUOTES] = [10, 3]; // of a list; of a subject
const [GRID_SUBJECTS, GRID_GROUPS, GRID_QUOTES] = [8, 12, 2];
const MOST_READ = 400; // reviews to search in
// Before a word, these say that it is a verb, or that there is none of it.
const BEFORE_VERBS = new Set("i we you they he she to can will would could should may must didn't don't".split(" "));
const ABSENT = ["no", "without", "zero"];

/** What reviews say of a subject; see the class of the same name in subjects.py. */
class Subject extends Finding {}

export class Subjects {
  own = []; // the user's own subjects are named in a command only

  /** Read reviews: `since` is the day whose complaints are compared with those before it; "" for none. */
  static async of(reviews, explainer, label, since) {
    const subjects = new Subjects();
    let size = 0;
    subjects.reviews = reviews.filter(({ text }) => (size += lengthOf(text)) <= MOST_CHARACTERS);
    await subjects.read(explainer, label, since);
    return subjects;
  }

  async read(explainer, label, since) {
    const { reviews } = this;
    const numbers = [...reviews.keys()];
    this.every = new Set(numbers);
    this.positive = new Set(numbers.filter((number) => reviews[number].label === label));
    this.before = new Set(numbers.filter((number) => reviews[number].day && reviews[number].day < since));
    this.since = new Set(numbers.filter((number) => since && reviews[number].day >= since));
    const logOdds = (texts) => logOddsOf(explainer.scorer, texts);
    this.clauses = await readClauses(reviews, explainer, logOdds);
    const words = await findSubjects(this.clauses.map((clause) => clause.text), logOdds);
    const least = Math.max(FEWEST, FEWEST_SHARE * reviews.length);
    const found = this.subjects(words).filter((row) => Math.max(row.all[0], row.praise) >= least);
    this.found = judged(found, FALLS, RISES);
    const [taken, { praised, blamed }] = [new Set(), this.sides()];
    this.blamed = this.quoted(blamed, -1, taken);
    this.praised = this.quoted(praised, 1, taken);
  }

  subjects(words) {
    const forms = new Map();
    for (const [name, own] of words) {
      for (const word of own) for (const form of formsOf(word.toLowerCase())) forms.set(form.replaceAll("-", " "), { name, word });
    }
    const phrases = new Phrases(forms);
    const uses = new Map([...words.keys()].map((name) => [name, []]));
    for (const clause of this.clauses) {
      for (const { value, start } of phrases.find(clause.text.replaceAll("-", " "))) {
        const before = clause.text.slice(0, start).toLowerCase().split(/\s+/u).filter(Boolean).slice(-2);
        const isAbsent = clause.odds > 0 && before.some((word) => ABSENT.includes(word));
        if (!isAbsent && !BEFORE_VERBS.has(before.at(-1))) uses.get(value.name).push([value.word, clause]);
      }
    }
    return [...uses].map(([name, pairs]) => this.subject(name, pairs));
  }

  subject(name, uses) {
    const clauses = uses.map(([, clause]) => clause);
    const reviewsOf = (some) => new Set(some.map((clause) => clause.review));
    const complains = reviewsOf(clauses.filter((clause) => clause.odds < -CLEAR));
    const praises = reviewsOf(clauses.filter((clause) => clause.odds > CLEAR));
    const counts = new Map();
    for (const [word] of uses) count(counts, word);
    return new Subject({
      name,
      all: counted(complains, reviewsOf(clauses)),
      before: counted(complains, this.before),
      since: counted(complains, this.since),
      words: sortedBy(counts.keys(), (word) => -counts.get(word)),
      clauses: clauses.sort((one, other) => this.since.has(other.review) - this.since.has(one.review) || other.worth - one.worth),
      complains,
      praise: praises.size,
      stake: -this.effect(complains),
      gain: this.effect(praises),
    });
  }

  // By how much the share of positive reviews is higher because some say something.
  effect(says) {
    const rest = new Set([...this.every].filter((number) => !says.has(number)));
    return shareOf(counted(this.positive, this.every)) - shareOf(counted(this.positive, rest.size ? rest : this.every));
  }

  sides() {
    const [bad, good] = [-1, 1].map((sign) => this.clauses.filter((clause) => sign * clause.odds > CLEAR).length);
    const usual = shareOf([bad, bad + good]);
    const share = (row) => shareOf([row.all[0], row.all[0] + row.praise]);
    const praised = this.found.filter((row) => row.gain >= LEAST_EFFECT && share(row) <= Math.min(usual, MOST_COMPLAINTS));
    const blamed = this.found.filter((row) => row.stake >= LEAST_EFFECT && share(row) >= usual / 2);
    return {
      praised: sortedBy(praised, (row) => -row.gain).slice(0, SUBJECTS),
      blamed: sortedBy(blamed, (row) => -row.stake).slice(0, SUBJECTS),
    };
  }

  quoted(rows, sign, taken) {
    return rows.map((row) => row.with({ quotes: this.quotes(row, sign, QUOTES, taken) }));
  }

  // Reviews of a group, each with a sentence that a reader would choose in place of its text.
  quotes(subject, sign, limit, taken, group = this.every) {
    const quotes = new Map();
    for (const { review, odds, quote } of subject.clauses) {
      if (quotes.size === limit) break;
      if (!quote || sign * odds <= CLEAR || taken.has(review) || !group.has(review) || quotes.has(quote)) continue;
      quotes.set(quote, { ...this.reviews[review], text: quote });
      taken.add(review);
    }
    return [...quotes.values()];
  }

  /** Return the latest reviews, and of one day those that name the most subjects, with their names. */
  to_read() {
    const names = this.reviews.map(() => []);
    for (const row of [...this.blamed, ...this.praised]) {
      for (const number of new Set(row.clauses.map((clause) => clause.review))) names[number].push(row.name);
    }
    const pairs = this.reviews.map((review, number) => [review, names[number]]);
    return pairs
      .sort(([one, some], [other, more]) => order(other.day, one.day) || more.length - some.length)
      .slice(0, MOST_READ);
  }

  /** Return for each subject how many complain of it in the largest groups, compared with the rest. */
  grid(place) {
    const groups = new Map();
    this.reviews.forEach((review, number) => {
      const name = review.groups[place];
      if (!groups.has(name)) groups.set(name, new Set());
      groups.get(name).add(number);
    });
    const largest = sortedBy([...groups.keys()].filter(Boolean), (name) => -groups.get(name).size).slice(0, GRID_GROUPS);
    return this.blamed.slice(0, GRID_SUBJECTS).map((subject) => {
      const cells = largest.map((name) => new Finding({ name, all: counted(subject.complains, groups.get(name)) }));
      const compared = againstRest(cells, counted(subject.complains, this.every));
      const quotes = largest.map((name) => this.quotes(subject, -1, GRID_QUOTES, new Set(), groups.get(name)));
      return [subject.name, compared.map((cell, number) => [cell, quotes[number]])];
    });
  }
}

// The clauses of reviews in order; what is quoted is the sentence, or else the clause.
async function readClauses(reviews, explainer, logOdds) {
  const places = await clausesOf(reviews.map(({ text }) => text), (texts) => explainer.effects(texts));
  const spelled = ({ text: number }, span) => reviews[number].text.slice(span.start, span.end);
  const texts = places.map((place) => spelled(place, place.clause));
  const odds = await logOdds(texts);
  return places.map((place, number) => {
    const parts = [spelled(place, place.sentence), texts[number]];
    const quote = parts.find((part) => lengthOf(part) >= SHORTEST && lengthOf(part) <= LONGEST) ?? "";
    return { review: place.text, text: texts[number], odds: odds[number], quote, worth: worthOf(quote, odds[number]) };
  });
}

function counted(says, reviews) {
  return [[...reviews].filter((review) => says.has(review)).length, reviews.size];
}

// How well a clause reads: best if clear, in a whole sentence of a usual length.
function worthOf(quote, odds) {
  const isWhole = /^[\p{Lu}\p{Lt}].*[.!?]$/su.test(quote) && quote !== quote.toUpperCase();
  return Math.min(CLEAREST, Math.abs(odds)) + 2 * isWhole - Math.abs(lengthOf(quote) - TYPICAL) / 40;
}

// The log odds of the second label for each text; 0 for a text without a label.
async function logOddsOf(scorer, texts) {
  const results = await scorer.score(texts);
  return results.map((result) => {
    const score = Math.min(1 - 1e-9, Math.max(1e-9, result?.score ?? 0.5));
    return Math.log(score / (1 - score));
  });
}

// The rows of a report, as they are scored: see sentcli/report/rows.py.

import { Collector, findColumns } from "./collector.js";
import { renderScored } from "./scored.js";

const [FIRST_ROWS, FIRST_ROWS_OF_SMALL] = [512, 8192]; // that decide on the columns
const SMALL = 8 << 20; // bytes of a file

export class Report {
  /**
   * @param {object} explainer
   * @param {object} table
   * @param {number} column that of the texts
   */
  constructor(explainer, table, column) {
    Object.assign(this, { explainer, column });
    this.names = table.columns;
    this.places = new Map(table.columns.map((name, place) => [name, place]));
    this.first = table.file.size <= SMALL ? FIRST_ROWS_OF_SMALL : FIRST_ROWS;
    this.waiting = []; // rows, until the columns are known
    this.collected = null;
  }

  /** Add rows with their results. */
  add(rows, results) {
    rows.forEach(({ fields }, place) => {
      if (this.collected) this.addRow(fields, results[place]);
      else this.waiting.push([fields, results[place]]);
    });
    if (!this.collected && this.waiting.length >= this.first) this.begin();
  }

  begin() {
    const first = this.waiting.slice(0, this.first).map(([fields]) => fields);
    const others = [...this.names.keys()].filter((place) => place !== this.column);
    const values = new Map(others.map((place) => [this.names[place], first.map((fields) => fields[place] ?? "")]));
    this.collected = new Collector(this.explainer.scorer.labels, findColumns(values));
    for (const [fields, result] of this.waiting) this.addRow(fields, result);
    this.waiting = [];
  }

  addRow(fields, result) {
    this.collected.add(fields[this.column], result, (name) => fields[this.places.get(name)] ?? "");
  }

  /** Return the page of the rows of a file. */
  page(title, model, rejected) {
    if (!this.collected) this.begin();
    return renderScored(this.collected, this.explainer, title, model, rejected);
  }
}

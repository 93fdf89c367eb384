for (const table of document.querySelectorAll("table.sortable")) {
  const heads = [...table.tHead.rows[0].cells];
  heads.forEach((head, place) => {
    head.querySelector("button")?.addEventListener("click", () => {
      const isDown = head.getAttribute("aria-sort") !== "descending";
      heads.forEach((each) => each.removeAttribute("aria-sort"));
      head.setAttribute("aria-sort", isDown ? "descending" : "ascending");
      const value = (row) => row.cells[place].dataset.value ?? row.cells[place].textContent.trim();
      const rows = [...table.tBodies[0].rows].sort((first, second) => {
        const order = Number(value(first)) - Number(value(second));
        return Number.isNaN(order) ? value(first).localeCompare(value(second)) : order;
      });
      table.tBodies[0].append(...(isDown ? rows.reverse() : rows));
    });
  });
}

function save(name, content, type) {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(new Blob([content], { type }));
  link.download = name;
  link.click();
}
const textOf = (cell) => cell.dataset.value ?? cell.textContent.trim().replace(/\s+/g, " ");
const quoted = (text) => (/[",\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text);
for (const button of document.querySelectorAll("[data-csv]")) {
  button.addEventListener("click", () => {
    const table = button.parentElement.parentElement.querySelector("table");
    const rows = [...table.rows].map((row) => [...row.cells].map(textOf).map(quoted).join(","));
    save(button.dataset.csv, "\ufeff" + rows.join("\r\n"), "text/csv");
  });
}
for (const button of document.querySelectorAll("[data-copy]")) {
  button.addEventListener("click", async () => {
    await navigator.clipboard.writeText(document.getElementById(button.dataset.copy).innerText);
    button.textContent = "Copied";
  });
}
// A picture of its own has the colours that the page gives to it.
function standalone(svg) {
  const copy = svg.cloneNode(true);
  const shown = svg.querySelectorAll("*");
  copy.querySelectorAll("*").forEach((part, place) => {
    const style = getComputedStyle(shown[place]);
    for (const name of ["fill", "stroke", "stroke-width", "stroke-dasharray", "opacity", "font", "text-anchor"]) {
      part.style.setProperty(name, style.getPropertyValue(name));
    }
  });
  copy.setAttribute("xmlns", "http://www.w3.org/2000/svg");
  copy.setAttribute("width", svg.clientWidth);
  copy.style.background = getComputedStyle(document.body).backgroundColor;
  return copy.outerHTML;
}
// Draw the intervals of a table of groups.
function drawn(table) {
  const escape = (text) => text.replace(/[&<>]/g, (mark) => `&#${mark.charCodeAt(0)};`);
  const rows = [...table.tBodies[0].rows].map((row, place) => {
    const y = 26 * place + 20;
    const at = (part, name) => 200 + 4 * parseFloat(row.querySelector(`.interval ${part}`).style[name]);
    const [start, middle] = [at("i", "left"), at("b", "left")];
    return `<text x="0" y="${y + 5}">${escape(textOf(row.cells[0])).slice(0, 28)}</text>
<path d="M200 ${y}h400" stroke="#ddd"/><path d="M${start} ${y}h${at("i", "width") - 200}" stroke="#0b7a75" opacity=".4" stroke-width="4"/>
<circle cx="${middle}" cy="${y}" r="5" fill="#0b7a75"/><text x="610" y="${y + 5}">${escape(row.cells[2].textContent)}</text>`;
  });
  return `<svg xmlns="http://www.w3.org/2000/svg" width="660" height="${26 * rows.length + 20}" font-family="sans-serif"
font-size="14"><rect width="100%" height="100%" fill="#fff"/>${rows.join("")}</svg>`;
}
for (const button of document.querySelectorAll("[data-svg]")) {
  button.addEventListener("click", () => {
    const panel = button.parentElement.parentElement;
    const svg = panel.querySelector("svg.timeline");
    save(button.dataset.svg, svg ? standalone(svg) : drawn(panel.querySelector("table")), "image/svg+xml");
  });
}
for (const input of document.querySelectorAll("[data-find]")) {
  const lines = document.getElementById(input.dataset.find).textContent.split("\n");
  input.addEventListener("input", () => {
    const word = input.value.toLowerCase();
    const found = word ? lines.filter((line) => line.toLowerCase().includes(word)).slice(0, 40) : [];
    input.parentElement.nextElementSibling.nextElementSibling.replaceChildren(
      ...found.map((line) => {
        const [name, rows, share, before, since] = line.split("\t");
        const change = since ? `, ${before} % before, ${since} % since` : "";
        return Object.assign(document.createElement("div"), { textContent: `${name}: ${share ?? "-"} % of ${rows}${change}` });
      }),
    );
  });
}
// The reviews that match the words and the chosen group, subject and label; a page without scripts has no search.
for (const section of document.querySelectorAll("#read")) {
  const fields = [...section.querySelectorAll("input, select")];
  const reviews = [...section.querySelectorAll("li")].map((item) => {
    const of = item.dataset.of.split("\t").map((names) => names.split("\n"));
    const [text, meta] = [item.textContent.toLowerCase(), document.createElement("p")];
    meta.className = "meta";
    meta.append(...[of[2], of[3], of[0]].flat().map((name) => Object.assign(document.createElement("bdi"), { textContent: name })));
    item.prepend(meta);
    return { item, text, of };
  });
  const show = () => {
    const [words, ...chosen] = fields.map((field) => field.value);
    const fits = ({ text, of }) =>
      text.includes(words.toLowerCase()) && chosen.every((name, place) => !name || of[place].includes(name));
    const found = reviews.filter(fits);
    reviews.forEach(({ item }) => (item.hidden = true));
    found.slice(0, 8).forEach(({ item }) => (item.hidden = false));
    section.querySelector("[aria-live]").textContent = `${found.length} reviews${found.length > 8 ? ", the first 8" : ""}`;
  };
  fields.forEach((field) => field.addEventListener("input", show));
  section.hidden = false;
  show();
}

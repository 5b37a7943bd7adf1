"use strict";

// Sorting. A cell's value is its data-v or, in the tables of methods, what the list above the table says.
const say = (text) => { document.getElementById("live").textContent = text; };

function valueOf(cell, order) {
  const text = cell.dataset.v ?? cell.dataset[order];
  if (text === undefined) return null;
  const number = Number(text);
  return text === "" || Number.isNaN(number) ? text : number;
}

function compare(a, b, sign) {
  if (a === null || b === null) return (a === null) - (b === null); // what has no value stays last
  if (typeof a === "number" && typeof b === "number") return sign * (a - b);
  return sign * String(a).localeCompare(String(b), "en");
}

function sort(heading, direction) {
  const table = heading.closest("table");
  const place = [...heading.parentNode.children].indexOf(heading);
  const order = document.querySelector(`select[data-table="${table.id}"]`)?.value;
  const rows = [...table.tBodies[0].rows];
  const values = new Map(rows.map((row) => [row, valueOf(row.cells[place], order)]));
  rows.sort((a, b) => compare(values.get(a), values.get(b), direction === "ascending" ? 1 : -1));
  table.tBodies[0].append(...rows);
  for (const other of heading.parentNode.children) other.removeAttribute("aria-sort");
  heading.setAttribute("aria-sort", direction);
  say(`Sorted by ${heading.textContent.trim()}, ${direction}.`);
}

function first(heading) { // names start with A, numbers with the highest
  const table = heading.closest("table");
  const place = [...heading.parentNode.children].indexOf(heading);
  const order = document.querySelector(`select[data-table="${table.id}"]`)?.value;
  const values = [...table.tBodies[0].rows].map((row) => valueOf(row.cells[place], order)).filter((value) => value !== null);
  return place > 0 && values.every((value) => typeof value === "number") ? "descending" : "ascending";
}

const opposite = { ascending: "descending", descending: "ascending" };
for (const button of document.querySelectorAll(".sortable thead button")) {
  const heading = button.closest("th");
  button.addEventListener("click", () => sort(heading, opposite[heading.getAttribute("aria-sort")] ?? first(heading)));
}
for (const select of document.querySelectorAll("select.order")) {
  select.addEventListener("change", () => {
    const heading = document.getElementById(select.dataset.table).querySelector("th[aria-sort]");
    if (heading) sort(heading, heading.getAttribute("aria-sort"));
  });
}

// Details. The cells' contents are text, which a browser reads in half the time of elements; one dialog shows one of them.
const dialog = document.getElementById("details");
const cells = [...document.querySelectorAll("script[data-cell]")];
let shown = -1;
let opener = null;

function show(place) {
  shown = (place + cells.length) % cells.length;
  const cell = cells[shown];
  document.getElementById("details-title").textContent = cell.dataset.title;
  document.getElementById("details-body").innerHTML = cell.textContent;
  dialog.scrollTop = 0;
  history.replaceState(null, "", `#cell=${encodeURIComponent(cell.dataset.cell)}`);
}

function open(key, from) {
  const place = cells.findIndex((cell) => cell.dataset.cell === key);
  if (place < 0) return;
  opener = from;
  show(place);
  dialog.showModal();
  document.getElementById("details-title").focus();
}

for (const button of document.querySelectorAll("button.open")) {
  button.addEventListener("click", () => open(button.dataset.cell, button));
}
document.getElementById("close").addEventListener("click", () => dialog.close());
document.getElementById("previous").addEventListener("click", () => show(shown - 1));
document.getElementById("next").addEventListener("click", () => show(shown + 1));
dialog.addEventListener("click", (event) => { if (event.target === dialog) dialog.close(); });
dialog.addEventListener("close", () => {
  history.replaceState(null, "", location.pathname + location.search);
  opener?.focus();
});
if (location.hash.startsWith("#cell=")) {
  const key = decodeURIComponent(location.hash.slice("#cell=".length));
  open(key, document.querySelector(`button.open[data-cell="${CSS.escape(key)}"]`));
}

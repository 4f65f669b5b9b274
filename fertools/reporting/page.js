// The wall of crops and the lists of a report. Names reach the page as text only, never as markup.
"use strict";

const TILE_WIDTH = 92;
const TILE_HEIGHT = 112;
const SPARE_ROWS = 2; // above and below what is in view
const MOST_TILES = 240; // in the document, also on a huge screen and on paper

const find = (selector, root = document) => root.querySelector(selector);

/** Make an element; strings among the children become text. */
function make(name, attributes = {}, ...children) {
  const element = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) {
    if (value !== null && value !== false) element.setAttribute(key, value === true ? "" : value);
  }
  element.append(...children);
  return element;
}

/** Decode the JSON of an inert script: gzip, base64. */
async function unpack(id) {
  const text = atob(find(`#${id}`).textContent);
  const bytes = new Uint8Array(text.length);
  for (let i = 0; i < text.length; i++) bytes[i] = text.charCodeAt(i);
  const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"));
  return new Response(stream).json();
}

/** The rows of the page: columns of the ledger, pictures, and what follows from them. */
class Rows {
  constructor(tree) {
    Object.assign(this, tree); // count, wall, classes, pack, lengths, lists
    this.columns = new Map(tree.columns.map((column) => [column.name, column]));
    this.starts = new Uint32Array(this.count);
    for (let row = 0; row < this.count; row++) {
      const before = row % this.pack ? this.starts[row - 1] + this.lengths[row - 1] : 0;
      this.starts[row] = before;
    }
    this.numbers = new Map([
      ["confidence", this.number((row) => this.get("confidence", row))],
      ["size", this.number((row) => this.faceSize(row))],
      ["agreement", this.number((row) => this.agreement(row))],
      ["certainty", this.number((row) => this.certainty(row))],
    ]);
  }

  number(value) {
    return Float32Array.from({ length: this.count }, (_, row) => value(row) ?? NaN);
  }

  get(name, row) {
    const column = this.columns.get(name);
    if (!column) return null;
    if (!column.words) return column.values[row];
    return column.codes[row] < 0 ? null : column.words[column.codes[row]];
  }

  key(row) {
    return this.get("key", row) ?? String(row + 1);
  }

  /** The longer side of the face's box, in pixels of the photo. */
  faceSize(row) {
    const [x0, y0, x1, y1] = ["x0", "y0", "x1", "y1"].map((side) => this.get(side, row));
    return x0 === null ? null : Math.max(x1 - x0, y1 - y0);
  }

  /** The share of the votes for the row's class. */
  agreement(row) {
    const votes = this.get("votes", row);
    const own = this.classes.findIndex((entry) => entry.name === this.get("label", row));
    const all = votes ? votes.reduce((sum, count) => sum + count, 0) : 0;
    return all && own >= 0 ? votes[own] / all : null;
  }

  predicted(row) {
    const shares = this.get("probabilities", row);
    return shares ? this.classes[shares.indexOf(Math.max(...shares))].name : null;
  }

  certainty(row) {
    const shares = this.get("probabilities", row);
    return shares ? Math.max(...shares) : null;
  }

  isWrong(row) {
    const predicted = this.predicted(row);
    return predicted !== null && predicted !== this.get("label", row);
  }

  /** The name of a class in both languages. */
  className(name) {
    const entry = this.classes.find((each) => each.name === name);
    return !entry || entry.english === name ? (name ?? "no class") : `${name} ${entry.english}`;
  }

  /** Return "기쁨 2, 중립 1", the largest first. */
  byClass(values, text, least) {
    const pairs = values.map((value, index) => [value, this.classes[index].name]);
    const named = pairs.filter(([value]) => value > least).sort((a, b) => b[0] - a[0]);
    return named.map(([value, name]) => `${name} ${text(value)}`).join(", ") || "none";
  }

  /** Describe a row for a screen reader. */
  describe(row) {
    const words = [this.className(this.get("label", row))];
    for (const name of ["outcome", "split", "sex", "age"]) words.push(this.get(name, row));
    const confidence = this.get("confidence", row);
    if (confidence !== null) words.push(`confidence ${confidence.toFixed(2)}`);
    if (this.isWrong(row)) words.push(`predicted ${this.className(this.predicted(row))}`);
    return words.filter((word) => word !== null && word !== "kept").join(", ");
  }

  /** Return the picture of a row, or a grey square with words if it has none. */
  picture(row) {
    const length = this.lengths[row];
    if (!length) {
      const outcome = this.get("outcome", row).replaceAll("_", " ");
      const person = [this.get("sex", row), this.get("age", row)].filter((each) => each !== null);
      return make("span", { class: "blank" }, outcome === "kept" ? person.join(" ") : outcome);
    }
    const pack = find(`#pack-${Math.floor(row / this.pack)}`).textContent;
    const start = this.starts[row];
    const source = `data:image/webp;base64,${pack.slice(start, start + length)}`;
    return make("img", { src: source, alt: "", width: 64, height: 64, decoding: "async" });
  }
}

/** The filter: a mask of the rows on the wall, their order, and the part of the URL behind #. */
class Filter {
  constructor(form, rows) {
    this.form = form;
    this.rows = rows;
    this.mixed = Float32Array.from({ length: rows.wall }, (_, row) => Math.imul(row + 1, 0x9e3779b1) >>> 0);
  }

  value(name) {
    const field = this.form.elements[name];
    return !field ? "" : field.type === "checkbox" ? (field.checked ? "yes" : "") : field.value;
  }

  /** Return the mask, uint8 a row of the wall. */
  mask() {
    const mask = new Uint8Array(this.rows.wall).fill(1);
    const tests = [...this.words(), ...this.ranges(), ...this.others()];
    for (const test of tests) {
      for (let row = 0; row < mask.length; row++) if (mask[row] && !test(row)) mask[row] = 0;
    }
    return mask;
  }

  *words() {
    const names = { class: "label", split: "split", sex: "sex", age: "age", outcome: "outcome" };
    for (const [name, columnName] of Object.entries(names)) {
      const wanted = this.value(name);
      if (!wanted) continue;
      const { words, codes, values } = this.rows.columns.get(columnName);
      const code = words?.indexOf(wanted);
      yield words ? (row) => codes[row] === code : (row) => String(values[row] ?? "") === wanted;
    }
  }

  *ranges() {
    for (const name of ["confidence", "agreement"]) {
      const [low, high] = [this.value(`${name}-min`), this.value(`${name}-max`)];
      const numbers = this.rows.numbers.get(name);
      if (low) yield (row) => numbers[row] >= Number(low) - 1e-6;
      if (high) yield (row) => numbers[row] <= Number(high) + 1e-6;
    }
  }

  *others() {
    const verdict = this.value("network");
    if (verdict) {
      yield (row) => this.rows.predicted(row) !== null && this.rows.isWrong(row) === (verdict === "wrong");
    }
    const text = this.value("text").toLowerCase();
    if (text) yield (row) => this.rows.key(row).toLowerCase().includes(text);
  }

  /** Sort rows; a row without the number comes last, "-confidence" is the highest first. */
  order(rows) {
    const sort = this.value("sort");
    const numbers = this.rows.numbers.get(sort.replace("-", "")) ?? this.mixed;
    const sign = sort.startsWith("-") ? -1 : 1;
    const place = (row) => (Number.isNaN(numbers[row]) ? Infinity : sign * numbers[row]);
    return rows.sort((a, b) => place(a) - place(b) || a - b);
  }

  /** Return the fields that differ from their defaults, for the URL. */
  toHash() {
    const words = new URLSearchParams();
    for (const field of this.form.elements) {
      const value = field.name && this.value(field.name);
      if (field.name && value !== (field.dataset.default ?? "")) words.set(field.name, value);
    }
    return words.toString();
  }

  fromHash(hash) {
    const words = new URLSearchParams(hash);
    for (const field of this.form.elements) {
      if (!field.name) continue;
      const value = words.get(field.name) ?? field.dataset.default ?? "";
      if (field.type === "checkbox") field.checked = value === "yes";
      else field.value = value;
    }
  }
}

/** The wall: only the rows of tiles in view are in the document. */
class Wall {
  constructor(root, rows, open) {
    Object.assign(this, { root, rows, open, order: [], dim: null, current: 0, shown: new Map() });
    this.space = find(".space", root);
    this.pending = false;
    root.addEventListener("scroll", () => this.schedule(), { passive: true });
    root.addEventListener("keydown", (event) => this.press(event));
    root.addEventListener("click", (event) => {
      const tile = event.target.closest("[data-key]");
      if (tile) this.choose(Number(tile.dataset.place), true);
    });
    new ResizeObserver(() => this.layout()).observe(root);
  }

  /** Show rows in an order; `dim` is the mask of those that match, if others stay. */
  show(order, dim) {
    Object.assign(this, { order, dim, current: 0 });
    this.root.scrollTop = 0;
    this.clear();
    this.layout();
  }

  clear() {
    for (const line of this.shown.values()) line.remove();
    this.shown.clear();
  }

  layout() {
    const columns = Math.max(1, Math.floor(this.space.clientWidth / TILE_WIDTH));
    if (columns !== this.columns) {
      this.columns = columns;
      this.root.style.setProperty("--columns", columns);
      this.clear();
    }
    this.lines = Math.ceil(this.order.length / columns);
    this.space.style.height = `${Math.max(1, this.lines) * TILE_HEIGHT}px`;
    this.root.setAttribute("aria-rowcount", Math.max(1, this.lines));
    this.root.setAttribute("aria-colcount", columns);
    this.render();
  }

  schedule() {
    if (this.pending) return;
    this.pending = true;
    requestAnimationFrame(() => {
      this.pending = false;
      this.render();
    });
  }

  render() {
    const first = Math.max(0, Math.floor(this.root.scrollTop / TILE_HEIGHT) - SPARE_ROWS);
    const inView = Math.ceil(this.root.clientHeight / TILE_HEIGHT) + 2 * SPARE_ROWS;
    const most = Math.max(1, Math.floor(MOST_TILES / this.columns));
    const last = Math.min(this.lines, first + Math.min(inView, most));
    for (const [number, line] of this.shown) {
      const outside = number < first || number >= last;
      if (outside && !line.contains(document.activeElement)) {
        line.remove();
        this.shown.delete(number);
      }
    }
    for (let number = first; number < last; number++) {
      if (!this.shown.has(number)) this.shown.set(number, this.line(number));
    }
    if (!this.lines && !this.shown.size) this.shown.set(0, this.empty());
    this.placeFocus(first);
  }

  line(number) {
    const line = make("div", { role: "row", class: "line", "aria-rowindex": number + 1 });
    line.style.top = `${number * TILE_HEIGHT}px`;
    const start = number * this.columns;
    const end = Math.min(start + this.columns, this.order.length);
    for (let place = start; place < end; place++) line.append(this.tile(place));
    const next = [...this.shown.keys()].filter((each) => each > number).sort((a, b) => a - b)[0];
    this.space.insertBefore(line, this.shown.get(next) ?? null);
    return line;
  }

  empty() {
    const cell = make("div", { role: "gridcell", class: "nothing" }, "Nothing matches this filter.");
    const line = make("div", { role: "row", class: "line" }, cell);
    this.space.append(line);
    return line;
  }

  tile(place) {
    const row = this.order[place];
    const faded = this.dim && !this.dim[row];
    const state = `${faded ? " faded" : ""}${this.rows.isWrong(row) ? " wrong" : ""}`;
    const tile = make("div", {
      role: "gridcell",
      class: `tile ${this.rows.get("split", row) ?? "dropped"}${state}`,
      tabindex: -1,
      "data-key": this.rows.key(row),
      "data-place": place,
    });
    tile.append(
      this.rows.picture(row),
      make("span", { class: "caption" }, this.caption(row)),
      make("span", { class: "unseen" }, `, ${this.rows.describe(row)}`),
    );
    return tile;
  }

  caption(row) {
    const confidence = this.rows.get("confidence", row);
    const label = this.rows.get("label", row) ?? "–";
    if (this.rows.isWrong(row)) return `${label} → ${this.rows.predicted(row)}`;
    return confidence === null ? label : `${label} ${confidence.toFixed(2)}`;
  }

  /** Let Tab reach exactly one tile: the current one, or the first in view. */
  placeFocus(first) {
    for (const tile of this.root.querySelectorAll('[tabindex="0"]')) tile.tabIndex = -1;
    const current = this.tileAt(this.current) ?? this.tileAt((first + SPARE_ROWS) * this.columns);
    const tile = current ?? find("[data-key]", this.root);
    if (tile) tile.tabIndex = 0;
  }

  tileAt(place) {
    return find(`[data-place="${place}"]`, this.root);
  }

  press(event) {
    const tile = event.target.closest("[data-key]");
    if (!tile || event.ctrlKey || event.metaKey || event.altKey) return;
    const page = Math.max(1, Math.floor(this.root.clientHeight / TILE_HEIGHT)) * this.columns;
    const place = Number(tile.dataset.place);
    const moves = {
      ArrowRight: place + 1,
      ArrowLeft: place - 1,
      ArrowDown: place + this.columns,
      ArrowUp: place - this.columns,
      PageDown: place + page,
      PageUp: place - page,
      Home: 0,
      End: this.order.length - 1,
    };
    if (event.key === "Enter" || event.key === " ") this.choose(place, true);
    else if (event.key in moves) this.choose(Math.min(Math.max(moves[event.key], 0), this.order.length - 1));
    else return;
    event.preventDefault();
  }

  /** Make a tile the current one, scroll it into view, focus it, and open its details if asked. */
  choose(place, open = false) {
    this.current = place;
    const top = Math.floor(place / this.columns) * TILE_HEIGHT;
    const bottom = top + TILE_HEIGHT;
    if (top < this.root.scrollTop) this.root.scrollTop = top;
    else if (bottom > this.root.scrollTop + this.root.clientHeight) {
      this.root.scrollTop = bottom - this.root.clientHeight;
    }
    this.render();
    this.tileAt(place)?.focus({ preventScroll: true });
    if (open) this.open(this.order[place], place);
  }
}

/** The details of one row: all of its fields, its votes and the network's probabilities. */
class Details {
  constructor(dialog, rows) {
    Object.assign(this, { dialog, rows });
    find("button", dialog).addEventListener("click", () => dialog.close());
    dialog.addEventListener("click", (event) => {
      if (event.target === dialog) dialog.close();
    });
  }

  show(row) {
    const facts = [...this.facts(row)];
    find("h2", this.dialog).textContent = this.rows.className(this.rows.get("label", row));
    find(".portrait", this.dialog).replaceChildren(this.rows.picture(row));
    find("dl", this.dialog).replaceChildren(
      ...facts.flatMap(([name, value]) => [make("dt", {}, name), make("dd", {}, value)]),
    );
    if (!this.dialog.open) this.dialog.showModal();
    find(".body", this.dialog).scrollTop = 0;
  }

  *facts(row) {
    for (const [name, column] of this.rows.columns) {
      const value = this.rows.get(name, row);
      if (value === null || value === "") continue;
      if (name === "votes") yield ["votes", this.rows.byClass(value, (count) => count, 0)];
      else if (name === "probabilities") {
        yield ["network says", this.rows.byClass(value, (share) => share.toFixed(3), 0.0005)];
      } else yield [column.title ?? name, Array.isArray(value) ? value.join(" ") : String(value)];
    }
    const size = this.rows.faceSize(row);
    if (size !== null) yield ["face", `${size} px`];
  }
}

/** Fill the lists of single rows: least confident faces, disputed labels, drops, pairs … */
function fillLists(rows, details) {
  for (const place of document.querySelectorAll("[data-list]")) {
    for (const { rows: several, caption } of rows.lists[place.dataset.list] ?? []) {
      const buttons = several.map((row) => listButton(rows, row, details));
      const text = make("span", { class: "caption" }, caption || votesCaption(rows, several[0]));
      const detail = rows.get("detail", several[0]);
      if (detail) text.prepend(make("b", {}, detail), " ");
      place.append(make("li", {}, ...buttons, text));
    }
  }
}

function listButton(rows, row, details) {
  const name = `Details: ${rows.describe(row)}`;
  const content = rows.lengths[row] ? rows.picture(row) : "details";
  const style = rows.lengths[row] ? "crop" : "text";
  const button = make("button", { type: "button", class: style, "aria-label": name }, content);
  button.addEventListener("click", () => details.show(row));
  return button;
}

/** Return "상처 – votes: 슬픔 3, 상처 1". */
function votesCaption(rows, row) {
  const votes = rows.byClass(rows.get("votes", row), (count) => count, 0);
  return `${rows.get("label", row)} – votes: ${votes}`;
}

function start(rows) {
  const form = find("#filter");
  const filter = new Filter(form, rows);
  const details = new Details(find("#details"), rows);
  const wall = new Wall(find("#wall"), rows, (row) => details.show(row));

  function apply() {
    const mask = filter.mask();
    const matching = [...mask.keys()].filter((row) => mask[row]);
    const keep = filter.value("keep") && matching.length < mask.length;
    find("#matching").textContent = matching.length;
    wall.show(filter.order(keep ? [...mask.keys()] : matching), keep ? mask : null);
  }

  function changed() {
    const hash = filter.toHash();
    history.replaceState(null, "", `#${hash}`);
    apply();
  }

  form.addEventListener("input", changed);
  form.addEventListener("submit", (event) => event.preventDefault());
  form.addEventListener("reset", (event) => {
    event.preventDefault();
    filter.fromHash("");
    changed();
  });
  addEventListener("hashchange", () => {
    if (location.hash.includes("=")) {
      filter.fromHash(location.hash.slice(1));
      apply();
    }
  });
  addEventListener("keydown", (event) => {
    const typing = event.target.closest("input, select, dialog");
    if (event.key !== "/" || typing) return;
    event.preventDefault();
    find("select, input", form).focus();
  });
  for (const button of document.querySelectorAll("[data-outcome]")) {
    button.addEventListener("click", () => {
      filter.fromHash(new URLSearchParams({ outcome: button.dataset.outcome }));
      changed();
      find("#crops").scrollIntoView();
    });
  }
  filter.fromHash(location.hash.includes("=") ? location.hash.slice(1) : "");
  apply();
  fillLists(rows, details);
  document.body.dataset.ready = "yes";
}

addEventListener("beforeprint", () => {
  for (const each of document.querySelectorAll("details")) each.open = true;
});

if (typeof DecompressionStream === "undefined") {
  find("#crops .wait").textContent = "This browser is too old for the wall: take one of 2023 or later.";
} else {
  unpack("data").then((tree) => start(new Rows(tree)));
}

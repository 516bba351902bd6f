// The table: which markets are shown, in which order. Rows are moved seldom and never under the reader's hand.

import { complaints } from "./cluster.js";
import { element, setText } from "./dom.js";
import { count, total, words } from "./format.js";
import { MarketRow } from "./market-row.js";
import { gravity, severity, statesOf } from "./states.js";

const REORDER_MS = 5_000;
const LEFT = new Set(["market", "state", "conditions"]);
const byTitle = new Intl.Collator(undefined, { numeric: true });
const number = (text) => (text === null ? null : Number(text));

/** What a column is called, and what it is sorted by; null sorts last in both directions. Some are there `only` in one kind of fleet. */
const COLUMNS = {
  market: { title: "Market", key: (m) => m.question, first: "ascending" },
  state: { title: "State", key: severity, first: "descending" },
  conditions: { title: "Conditions", key: complaints, first: "descending", only: "cluster" },
  yes: { title: "Ask YES", key: (m) => number(m.ask_yes), first: "ascending", only: "hydra" },
  no: { title: "Ask NO", key: (m) => number(m.ask_no), first: "ascending", only: "hydra" },
  cost: { title: "Pair after fees", key: (m) => number(m.pair_cost_after_fees), first: "ascending" },
  age: { title: "Feed age", key: (m) => (m.heard_ms === null ? null : -m.heard_ms), first: "descending" },
  position: { title: "Pairs", key: (m) => number(m.position.pairs), first: "descending" },
  profit: { title: "Locked", key: (m) => number(m.position.locked_profit), first: "descending" },
  orders: { title: "Orders", key: (m) => total(m.orders), first: "descending", only: "hydra" },
  edges: { title: "Edges", key: (m) => m.edges_seen, first: "descending", only: "hydra" },
};

export class MarketTable {
  #rows = new Map();
  #heads = new Map();
  #orderedAt = 0;
  #watcher = new IntersectionObserver((entries) => this.#seen(entries), { rootMargin: "200px" });

  constructor({ fleet, view, onHalt }) {
    this.fleet = fleet;
    this.view = view;
    this.onHalt = onHalt;
    this.body = document.getElementById("rows");
    this.template = document.getElementById("market");
    this.#bindTools();
  }

  /** Bring everything up to date: rows that came and went, every visible cell, and, when its time has come, the order. */
  show({ anew = false } = {}) {
    if (!this.#heads.size) this.#buildHeads(this.fleet.facts.cluster ? "cluster" : "hydra");
    const came = this.#matchRows();
    for (const [id, row] of this.#rows) this.#showRow(id, row);
    this.#showStates();
    if (anew || came || (Date.now() - this.#orderedAt > REORDER_MS && !this.#held())) this.order();
  }

  /** Take over what the address says now. */
  viewChanged() {
    document.getElementById("filter").value = this.view.text;
    this.order();
    this.#showStates();
  }

  /** Sort and filter now. */
  order() {
    this.#orderedAt = Date.now();
    const { key } = COLUMNS[this.view.sort] ?? COLUMNS.state;
    const sign = this.view.direction === "descending" ? -1 : 1;
    const keyed = [...this.#rows.values()].map((row) => [key(row.market), row]);
    keyed.sort(
      ([a, one], [b, other]) =>
        compare(a, b, sign) || byTitle.compare(one.market.question, other.market.question) || compare(one.id, other.id, 1),
    );
    keyed.forEach(([, row], place) => {
      if (this.body.children[place] !== row.node) this.body.insertBefore(row.node, this.body.children[place] ?? null);
      row.node.hidden = !this.#wanted(row.market);
    });
    this.#showHeads();
    this.#showEmptiness();
  }

  #matchRows() {
    let came = false;
    for (const [id, row] of this.#rows) {
      if (this.fleet.markets.has(id)) continue;
      this.#watcher.unobserve(row.node);
      row.node.remove();
      this.#rows.delete(id);
      came = true;
    }
    for (const id of this.fleet.markets.keys()) {
      if (this.#rows.has(id)) continue;
      const row = new MarketRow(this.template, id, { onHalt: this.onHalt });
      this.#rows.set(id, row);
      row.visible = true; // once, so that the browser's own search finds it
      this.#showRow(id, row);
      row.visible = false;
      this.body.append(row.node);
      this.#watcher.observe(row.node);
      came = true;
    }
    return came;
  }

  #showRow(id, row) {
    row.show(this.fleet.markets.get(id), this.fleet.history.get(id) ?? [], this.fleet.facts.at_ms);
  }

  #seen(entries) {
    for (const { target, isIntersecting } of entries) {
      const row = this.#rows.get(target.dataset.id);
      if (!row) continue;
      row.visible = isIntersecting;
      if (isIntersecting) this.#showRow(row.id, row);
    }
  }

  /** A table that reorders itself under the pointer makes people halt the wrong market. */
  #held() {
    const held =
      this.body.matches(":hover") || this.body.contains(document.activeElement) || Boolean(document.querySelector("dialog[open]"));
    document.getElementById("held").hidden = !held;
    return held;
  }

  #wanted(market) {
    if (this.view.state && !statesOf(market).includes(this.view.state)) return false;
    const text = this.view.text.trim().toLowerCase();
    const fields = [market.question, market.market, market.condition_id ?? "", market.arb?.name ?? ""];
    return !text || fields.some((field) => field.toLowerCase().includes(text));
  }

  #buildHeads(kind) {
    const heads = document.getElementById("heads");
    const choice = document.getElementById("sort");
    for (const [name, { title, only }] of Object.entries(COLUMNS)) {
      if (only && only !== kind) continue;
      const button = element("button", "", title);
      button.type = "button";
      button.addEventListener("click", () => this.#sortBy(name));
      const head = element("div", `${name === "market" ? "name" : name} ${LEFT.has(name) ? "left" : ""}`, button);
      head.setAttribute("role", "columnheader");
      this.#heads.set(name, head);
      heads.append(head);
      const option = element("option", "", title);
      option.value = name;
      choice.append(option);
    }
    const last = element("div");
    last.setAttribute("role", "columnheader");
    last.setAttribute("aria-label", "Halt");
    heads.append(last);
  }

  #sortBy(name) {
    const turned = this.view.direction === "ascending" ? "descending" : "ascending";
    this.view.choose({ sort: name, direction: this.view.sort === name ? turned : COLUMNS[name].first });
    this.order();
  }

  #bindTools() {
    const filter = document.getElementById("filter");
    filter.value = this.view.text;
    filter.addEventListener("input", () => this.#choose({ text: filter.value }));
    filter.addEventListener("keydown", (event) => event.key === "Escape" && this.#choose({ text: "" }));
    document.addEventListener("keydown", (event) => {
      if (event.key !== "/" || event.target.closest("input, select, dialog")) return;
      event.preventDefault();
      filter.focus();
    });
    document.getElementById("sort").addEventListener("change", (event) => this.#sortBy(event.target.value));
    document.getElementById("direction").addEventListener("click", () => this.#sortBy(this.view.sort));
  }

  #choose(choices) {
    this.view.choose(choices);
    this.viewChanged();
  }

  #showHeads() {
    for (const [name, head] of this.#heads) {
      if (name === this.view.sort) head.setAttribute("aria-sort", this.view.direction);
      else head.removeAttribute("aria-sort");
    }
    document.getElementById("sort").value = this.view.sort;
    const down = this.view.direction === "descending";
    const direction = document.getElementById("direction");
    setText(direction, down ? "↓" : "↑");
    direction.setAttribute("aria-label", down ? "descending" : "ascending");
  }

  #showStates() {
    const counts = new Map();
    for (const market of this.fleet.markets.values()) for (const state of statesOf(market)) counts.set(state, (counts.get(state) ?? 0) + 1);
    if (this.view.state && !counts.has(this.view.state)) counts.set(this.view.state, 0);
    const group = document.getElementById("states");
    const wanted = ["", ...[...counts.keys()].sort((a, b) => gravity(b) - gravity(a) || compare(a, b, 1))];
    if (wanted.join() !== [...group.children].map((button) => button.dataset.state).join()) {
      group.replaceChildren(...wanted.map((state) => this.#stateButton(state)));
    }
    for (const button of group.children) {
      const { state } = button.dataset;
      setText(button, `${state ? words(state) : "all"} ${count(state ? counts.get(state) : this.fleet.markets.size)}`);
      button.setAttribute("aria-pressed", String(state === this.view.state));
    }
  }

  #stateButton(state) {
    const button = element("button");
    button.type = "button";
    button.dataset.state = state;
    button.addEventListener("click", () => this.#choose({ state: this.view.state === state ? "" : state }));
    return button;
  }

  #showEmptiness() {
    const empty = document.getElementById("empty");
    const shown = [...this.#rows.values()].some((row) => !row.node.hidden);
    empty.hidden = shown;
    setText(
      empty,
      this.#rows.size
        ? "No market matches this filter."
        : this.fleet.facts?.cluster
          ? "There is no ArbMarket in this namespace."
          : "No market is watched: none qualifies yet. Discovery above says why.",
    );
  }
}

function compare(a, b, sign) {
  if (a === null || b === null) return (a === null) - (b === null);
  if (typeof a === "string") return sign * byTitle.compare(a, b);
  return a < b ? -sign : a > b ? sign : 0;
}

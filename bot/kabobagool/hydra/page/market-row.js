// One market of the table: its cells, which are rewritten only where something is different, and the detail that opens below them.

import { marketScope, showConditions } from "./cluster.js";
import { element, setClass, setText } from "./dom.js";
import { count, dollars, listed, pairCost, price, roughly, shares, span, total, UNKNOWN, words } from "./format.js";
import { MarketDetail } from "./market-detail.js";
import { drawSparkline } from "./sparkline.js";
import { look, reasonOf, statesOf } from "./states.js";

const OLD_MS = 15_000;
const TOO_OLD_MS = 60_000;
const PARTS = "question slug chips reason conditions yes no cost sparkline age position profit orders edges halt expand".split(" ");

export class MarketRow {
  /** `template` is the page's; `onHalt(market)` is called by the row's button. */
  constructor(template, id, { onHalt }) {
    this.id = id;
    this.market = null;
    this.node = template.content.firstElementChild.cloneNode(true);
    this.node.dataset.id = id;
    this.parts = Object.fromEntries(PARTS.map((name) => [name, this.node.querySelector(`.${name}`)]));
    this.detail = null;
    this.visible = false;
    this.parts.halt.addEventListener("click", () => onHalt(this.market));
    this.node.firstElementChild.addEventListener("click", (event) => this.#clicked(event));
  }

  /** Show this market as it is at `now` (the fleet's time); a row that nobody sees waits until it is seen. */
  show(market, points, now) {
    this.market = market;
    this.now = now;
    if (!this.visible) return;
    this.#showName();
    this.#showState();
    this.#showPrices(points);
    this.#showAge();
    this.#showHoldings();
    this.#showCounts();
    this.detail?.show(market, now);
  }

  #clicked(event) {
    if (event.target.closest("a, .halt")) return;
    const selecting = String(getSelection()) && !event.target.closest(".expand");
    if (!selecting) this.#toggle();
  }

  #toggle() {
    const open = !this.detail;
    this.parts.expand.setAttribute("aria-expanded", String(open));
    if (!open) this.detail.node.remove();
    this.detail = open ? new MarketDetail(this.market) : null;
    if (!open) return;
    this.node.append(this.detail.node);
    this.detail.show(this.market, this.now);
  }

  #showName() {
    const { question, slug } = this.parts;
    setText(question, this.market.question);
    if (this.parts.expand.title !== this.market.question) this.parts.expand.title = this.market.question;
    setText(slug, this.market.market);
    const address = `https://polymarket.com/market/${encodeURIComponent(this.market.market)}`;
    if (slug.href !== address) slug.href = address;
    slug.hidden = !this.market.market;
  }

  #showState() {
    const states = statesOf(this.market);
    if (this.parts.chips.textContent !== states.join("")) {
      this.parts.chips.replaceChildren(...states.map((state) => element("span", `chip ${look(state)}`, words(state))));
    }
    const reason = reasonOf(this.market, { words, span });
    setText(this.parts.reason, reason);
    this.parts.reason.title = reason;
    setText(this.parts.halt, this.market.halted ? "Resume" : "Halt");
    this.parts.halt.disabled = marketScope(this.market) === null;
    showConditions(this.parts.conditions, this.market.arb);
  }

  #showPrices(points) {
    const cost = this.market.pair_cost_after_fees;
    setText(this.parts.yes, price(this.market.ask_yes));
    setText(this.parts.no, price(this.market.ask_no));
    setText(this.parts.cost.querySelector(".value"), pairCost(cost));
    setClass(this.parts.cost, cost !== null && Number(cost) < 1 ? "cell cost edge" : "cell cost");
    drawSparkline(this.parts.sparkline, points);
  }

  #showAge() {
    const age = this.market.heard_ms === null ? null : this.now - this.market.heard_ms;
    const unheard = this.market.arb && this.market.state === null;
    setText(this.parts.age, unheard ? UNKNOWN : age === null ? "no books" : age < 10_000 ? span(age) : roughly(age));
    setClass(this.parts.age, `cell age ${unheard ? "soft" : age === null || age > TOO_OLD_MS ? "bad" : age > OLD_MS ? "warn" : ""}`);
  }

  #showHoldings() {
    const { pairs, imbalance, locked_profit: profit } = this.market.position;
    const [value, sub] = this.parts.position.children;
    setText(value, Number(pairs) ? shares(pairs) : UNKNOWN);
    setText(sub, Number(imbalance) ? surplus(imbalance) : "");
    setClass(sub, "sub warn");
    const { spent, shares_yes: yes, shares_no: no } = this.market.position;
    const held = [spent, yes, no].some((amount) => Number(amount) !== 0);
    setText(this.parts.profit, held ? dollars(profit) : UNKNOWN);
    setClass(this.parts.profit, `cell profit ${!held ? "soft" : Number(profit) < 0 ? "bad" : "good"}`);
  }

  #showCounts() {
    if (this.market.orders === null) return;
    const { filled = 0, ...others } = this.market.orders;
    const [orders, otherOrders] = this.parts.orders.children;
    setText(orders, total(this.market.orders) ? `${count(filled)} filled` : UNKNOWN);
    setText(otherOrders, listed(others));
    setClass(otherOrders, this.market.frozen_orders.length ? "sub bad" : "sub");
    const [seen, outcome] = this.parts.edges.children;
    setText(seen, this.market.edges_seen ? `${count(this.market.edges_seen)} seen` : UNKNOWN);
    setText(outcome, this.market.edges_seen ? `${count(this.market.edges_acted_on)} traded` : "");
  }
}

const surplus = (imbalance) => `+${shares(imbalance.replace("-", ""))} ${imbalance.startsWith("-") ? "NO" : "YES"}`;

// What opens below a market's row: everything the bot says about itself. Built only when somebody opens it.

import { ArbDetail } from "./cluster.js";
import { element, setText, showBars, showFacts } from "./dom.js";
import { clock, count, dollars, price, roughly, shares, short, total, words } from "./format.js";

export class MarketDetail {
  /** `market` is the one that will be shown: in a cluster bots keep their orders and edges to themselves, and the ArbMarket has a say. */
  constructor(market) {
    this.parts = {
      position: element("dl", "facts"),
      orders: element("dl", "facts"),
      edgesLine: element("p", "soft"),
      edges: element("ul", "bars"),
      bot: element("dl", "facts"),
    };
    const { position, orders, edgesLine, edges, bot } = this.parts;
    this.arb = market.arb ? new ArbDetail() : null;
    const groups = this.arb?.groups ?? [
      ["Orders", orders],
      ["Edges", edgesLine, edges],
      ["Bot", bot],
    ];
    this.node = element("div", "detail", group("Position", position), ...groups.map((parts) => group(...parts)));
    this.node.setAttribute("role", "row");
  }

  /** Show this market as it is at `now` (the fleet's time). */
  show(market, now) {
    const { position, orders, edgesLine, edges, bot } = this.parts;
    showFacts(position, positionFacts(market, now));
    if (this.arb) return this.arb.show(market, now);
    const refused = total(market.edges_rejected);
    showFacts(orders, orderFacts(market));
    setText(edgesLine, `${count(market.edges_seen)} seen, ${count(refused)} refused, ${count(market.edges_acted_on)} traded`);
    showBars(edges, market.edges_rejected, { words, count });
    showFacts(bot, botFacts(market));
  }
}

function group(title, ...content) {
  const cell = element("div", "", element("h3", "", title), ...content);
  cell.setAttribute("role", "cell");
  return cell;
}

function positionFacts(market, now) {
  const { position } = market;
  return [
    ["YES", `${shares(position.shares_yes)}${at(position.average_yes)}`],
    ["NO", `${shares(position.shares_no)}${at(position.average_no)}`],
    ["pairs", shares(position.pairs)],
    ["imbalance", shares(position.imbalance, { signed: true }), Number(position.imbalance) ? "warn" : ""],
    ["spent", dollars(position.spent)],
    ["of which fees", dollars(position.fees)],
    ["locked profit", dollars(position.locked_profit)],
    ["last fill", market.last_fill_ms === null ? "none yet" : `${clock(market.last_fill_ms)}, ${roughly(now - market.last_fill_ms)} ago`],
  ];
}

const at = (average) => (average === null ? "" : ` at ${price(average)}`);

function orderFacts(market) {
  return [
    ...Object.entries(market.orders).map(([outcome, number]) => [words(outcome), count(number), outcome === "unknown" ? "bad" : ""]),
    ["fills", count(market.fills)],
    ["not settled yet", count(market.unsettled_orders)],
    ...market.frozen_orders.map((hash) => ["frozen", short(hash), "bad"]),
  ];
}

function botFacts(market) {
  return [
    ["state", [market.state, ...market.reasons].map(words).join(", ")],
    ["phase", market.phase],
    ["restarts", count(market.restarts), market.restarts ? "warn" : ""],
    ...(market.trouble ? [["trouble", market.trouble, "warn"]] : []),
    ["pair before fees", price(market.pair_cost)],
    ["views", count(market.ticks)],
    ["decisions", count(market.decisions)],
    ["condition", short(market.condition_id)],
  ];
}

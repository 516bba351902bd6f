// What opens below a market's row: everything the bot says about itself. Built only when somebody opens it.

import { element, setText, showBars, showFacts } from "./dom.js";
import { clock, count, dollars, price, roughly, shares, short, total, words } from "./format.js";

export class MarketDetail {
  constructor() {
    this.parts = {
      position: element("dl", "facts"),
      orders: element("dl", "facts"),
      edgesLine: element("p", "soft"),
      edges: element("ul", "bars"),
      bot: element("dl", "facts"),
    };
    const { position, orders, edgesLine, edges, bot } = this.parts;
    this.node = element(
      "div",
      "detail",
      group("Position", position),
      group("Orders", orders),
      group("Edges", edgesLine, edges),
      group("Bot", bot),
    );
    this.node.setAttribute("role", "row");
  }

  /** Show this market as it is at `now` (the fleet's time). */
  show(market, now) {
    const { position, orders, edgesLine, edges, bot } = this.parts;
    const refused = total(market.edges_rejected);
    showFacts(position, positionFacts(market, now));
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
    ["YES", `${shares(position.shares_yes)} at ${price(position.average_yes)}`],
    ["NO", `${shares(position.shares_no)} at ${price(position.average_no)}`],
    ["pairs", shares(position.pairs)],
    ["imbalance", shares(position.imbalance, { signed: true }), Number(position.imbalance) ? "warn" : ""],
    ["spent", dollars(position.spent)],
    ["of which fees", dollars(position.fees)],
    ["locked profit", dollars(position.locked_profit)],
    ["last fill", market.last_fill_ms === null ? "none yet" : `${clock(market.last_fill_ms)}, ${roughly(now - market.last_fill_ms)} ago`],
  ];
}

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

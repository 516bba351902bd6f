// The words for what a market is doing, how much each asks for attention, and how it looks.

const STATES = {
  degraded: [9, "bad"],
  failed: [9, "bad"],
  "real money": [0, "live"],
  orphan: [8, "bad"],
  frozen: [7, "bad"],
  restarting: [6, "warn"],
  halted: [5, "warn"],
  leaving: [4, "warn"],
  starting: [4, "warn"],
  stopping: [4, "warn"],
  draining: [4, "warn"],
  pending: [4, "warn"],
  suspended: [3, "warn"],
  cooldown: [3, "warn"],
  ordering: [2, "busy"],
  watching: [1, ""],
  running: [0, ""],
  closed: [0, ""],
};

/** All that is true of a market, the most telling first: its bot's state or, while there is no bot, its phase; then what is laid over it. */
export function statesOf(market) {
  if (market.arb) return statesInCluster(market);
  const states = [hasBot(market) ? market.state : market.phase === "waiting" ? "restarting" : market.phase];
  if (market.halted) states.push("halted");
  if (market.phase === "leaving") states.push("leaving");
  return states;
}

/** The ArbMarket's phase, then what its bot says of itself while it can be heard. */
function statesInCluster({ arb, state, halted }) {
  const states = [(arb.phase ?? "new").toLowerCase(), state, halted && "halted", arb.mode === "Live" && "real money"];
  return [...new Set(states.filter(Boolean))];
}

const hasBot = ({ phase }) => phase === "running" || phase === "leaving";

/** How much a state asks for attention. */
export const gravity = (state) => STATES[state]?.[0] ?? 0;

/** The class that a state's chip has. */
export const look = (state) => STATES[state]?.[1] ?? "";

/** How much a market asks for attention. */
export const severity = (market) => Math.max(...statesOf(market).map(gravity));

/** Why a market is in its state, as far as a few words can tell. */
export function reasonOf(market, { words, span }) {
  if (market.arb)
    return market.arb.phase === "Running"
      ? market.reasons.map(words).join(", ")
      : [market.arb.reason, market.arb.message].filter(Boolean).join(": ");
  if (market.phase === "waiting") return [restart(market, span), market.trouble].filter(Boolean).join(": ");
  if (market.reasons.length) return market.reasons.map(words).join(", ");
  if (market.frozen_orders.length) return `${market.frozen_orders.length} unresolved`;
  if (market.state === "cooldown") return `for ${span(market.cooldown_s * 1000)}`;
  return market.trouble ? `before: ${market.trouble}` : "";
}

const restart = (market, span) => (market.restart_in_s === null ? "" : `again in ${span(market.restart_in_s * 1000)}`);

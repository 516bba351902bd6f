// The fleet as this page knows it: the last whole account, with every second's changes laid over it. No drawing here.

const POINTS = 120;

export class Fleet {
  constructor() {
    this.facts = null;
    this.markets = new Map();
    this.history = new Map();
    this.retired = [];
  }

  /** Begin anew with a whole account. */
  replace({ fleet, markets, retired, history }) {
    this.facts = fleet;
    this.markets = new Map(Object.entries(markets));
    this.history = new Map(Object.entries(history));
    this.retired = retired;
  }

  /** Lay changes over what is known. The ids of the markets that are different now, new ones included. */
  change({ fleet, markets, gone, retired, prices }) {
    Object.assign(this.facts, fleet);
    for (const id of gone) {
      this.markets.delete(id);
      this.history.delete(id);
    }
    for (const [id, fields] of Object.entries(markets)) this.markets.set(id, { ...this.markets.get(id), ...fields });
    if (retired) this.retired = retired;
    this.#extendHistory(prices);
    return Object.keys(markets);
  }

  /** What a scope is called: a market's question, or how the server names what was halted; null when it is neither. */
  titleOf(scope) {
    const market = this.markets.get(scope) ?? [...this.markets.values()].find((each) => each.scope === scope);
    return market?.question ?? this.facts.halts.find((halt) => halt.scope === scope)?.title ?? null;
  }

  #extendHistory(prices) {
    for (const id of this.markets.keys()) {
      const points = this.history.get(id) ?? [];
      points.push(prices[id] ?? points.at(-1) ?? -1);
      if (points.length > POINTS) points.shift();
      this.history.set(id, points);
    }
  }
}

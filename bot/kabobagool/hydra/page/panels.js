// Everything around the table: who trades what in which mode, what is wrong, what it adds up to, and the markets that left.

import { clusterFacts, clusterNotices } from "./cluster.js";
import { element, setClass, setText, showBars, showFacts } from "./dom.js";
import { clock, count, dollars, listed, roughly, shares, short, span, total, UNKNOWN, words } from "./format.js";

const byId = (id) => document.getElementById(id);

export class Panels {
  #frames = null;
  #frameRate = null;

  constructor({ fleet, onResume }) {
    this.fleet = fleet;
    this.onResume = onResume;
  }

  /** Show the fleet's own facts. */
  show() {
    const { facts } = this.fleet;
    this.#showHead(facts);
    this.#showNotices(facts);
    showTotals(facts.totals, this.fleet.markets.size);
    if (facts.discovery) showDiscovery(facts.discovery, facts.at_ms);
    if (facts.cluster) showFacts(byId("operator-facts"), clusterFacts(facts));
    else {
      showEdges(facts.totals);
      this.#showFeed(facts);
    }
    showRetired(this.fleet.retired);
    setText(byId("as-of"), `as of ${clock(facts.at_ms)}, running for ${roughly(facts.at_ms - facts.started_ms)}`);
  }

  #showHead({ mode, play_money: playMoney, state, profile, wallet, totals, control = true, cluster, discovery }) {
    document.body.classList.toggle("cluster", Boolean(cluster));
    document.body.classList.toggle("pinned-only", !discovery);
    document.body.classList.toggle("read-only", !control);
    byId("read-only").hidden = control;
    const live = mode === "live";
    const real = live && !playMoney;
    document.body.classList.toggle("live", real);
    document.body.classList.toggle("dry", !real);
    setText(byId("mode"), real ? "LIVE · real money" : live ? "LIVE · play money" : "DRY RUN · no real orders");
    setText(byId("fleet-state"), words(state));
    setClass(byId("fleet-state"), `fleet-state ${state}`);
    setText(
      byId("identity"),
      [cluster && `namespace ${cluster.namespace}`, profile && `profile ${profile}`, wallet && `wallet ${short(wallet)}`]
        .filter(Boolean)
        .join(" · "),
    );
    byId("identity").title = wallet ?? "";
    byId("halt-all").disabled = false;
    this.title = `${real ? "LIVE" : live ? "play money" : "dry run"} · ${dollars(totals.locked_profit)} locked · ${count(this.fleet.markets.size)} markets`;
  }

  #showNotices({ halts, discovery, at_ms: now }) {
    const notices = halts.map((halt) => ({
      halt,
      key: `${halt.scope} ${halt.since_ms}`,
      text: [this.#scopeText(halt), haltText(halt, now)],
      bad: halt.scope === "wallet" || halt.scope.endsWith("/wallet"),
    }));
    notices.push(...clusterNotices(this.fleet.facts));
    if (discovery?.trouble) notices.push({ key: "discovery", text: ["Discovery fails", discovery.trouble], bad: false });
    const area = byId("notices");
    if (notices.map(({ key }) => key).join() !== [...area.children].map((node) => node.dataset.key).join()) {
      area.replaceChildren(...notices.map((notice) => this.#newNotice(notice)));
    }
    notices.forEach(({ text: [strong, rest] }, place) => {
      setText(area.children[place].children[0], strong);
      setText(area.children[place].children[1], rest);
    });
  }

  #newNotice({ key, halt, bad }) {
    const notice = element("div", bad ? "notice bad" : "notice", element("strong"), element("span"));
    notice.dataset.key = key;
    if (halt) {
      const button = element("button", "", "Resume");
      button.type = "button";
      button.addEventListener("click", () => this.onResume(halt.scope));
      notice.append(button);
    }
    return notice;
  }

  #scopeText({ scope, title }) {
    if (title) return title;
    return scope === "wallet" ? "All markets are halted" : `Halted: ${this.fleet.markets.get(scope)?.question ?? short(scope)}`;
  }

  #showFeed({ feed, at_ms: now }) {
    this.#measureFrames(feed.frames, now);
    showFacts(byId("feed-facts"), [
      ["sockets", count(feed.sockets.length)],
      ["markets on each", feed.sockets.map(count).join(" + ") || UNKNOWN],
      ["frames", this.#frameRate === null ? count(feed.frames) : `${count(Math.round(this.#frameRate))} a second`],
      ["replaced by newer", count(feed.conflated)],
      ["reconnects", listed(feed.reconnects) || "none", total(feed.reconnects) ? "warn" : ""],
    ]);
  }

  /** Frames a second, smoothed over the last few. */
  #measureFrames(frames, now) {
    const before = this.#frames;
    this.#frames = { frames, now };
    if (!before || now <= before.now || frames < before.frames) return;
    const rate = ((frames - before.frames) * 1000) / (now - before.now);
    this.#frameRate = this.#frameRate === null ? rate : this.#frameRate * 0.8 + rate * 0.2;
  }
}

const haltText = ({ who, why, since_ms: since }, now) => `${why} — by ${who}, ${clock(since)}, ${roughly(now - since)} ago`;

function showTotals(totals, markets) {
  const { filled = 0, ...others } = totals.orders ?? { filled: null };
  const tiles = [
    ["Locked profit", dollars(totals.locked_profit), Number(totals.locked_profit) < 0 ? "bad" : "good"],
    ["Pairs", shares(totals.pairs), ""],
    ["Spent", dollars(totals.spent), ""],
    ["of which fees", dollars(totals.fees), ""],
    ["Paid out", dollars(totals.paid_out), ""],
    ["Orders filled", count(filled), "", listed(others)],
    ["Markets", count(markets), ""],
  ];
  const area = byId("totals");
  if (!area.children.length) area.append(...tiles.map(newTile));
  tiles.forEach(([, value, name, small = ""], place) => {
    const [shown, beside] = area.children[place].lastElementChild.children;
    setText(shown, value);
    setClass(shown, name);
    setText(beside, small);
  });
}

function newTile([title]) {
  return element("div", "", element("dt", "", title), element("dd", "", element("span"), element("small")));
}

function showEdges({ edges_seen: seen, edges_rejected: rejected, edges_acted_on: traded }) {
  const funnel = byId("edges-funnel");
  if (!funnel.children.length)
    funnel.append(...["seen", "refused", "traded"].flatMap((word) => [element("b"), element("span", "", ` ${word}`)]));
  [seen, total(rejected), traded].forEach((number, place) => setText(funnel.children[2 * place], count(number)));
  showBars(byId("edges-reasons"), rejected, { most: 8, words, count });
}

function showDiscovery({ at_ms: at, qualifying, rejected, listed, cache_age_s: cacheAge }, now) {
  const round = at === null ? "no round yet" : `${count(qualifying)} of ${count(listed)} qualify, ${roughly(now - at)} ago`;
  setText(byId("discovery-line"), cacheAge === null ? round : `${round}; the venue's list was ${span(cacheAge * 1000)} old`);
  showBars(byId("discovery-reasons"), rejected, { most: 6, words, count });
}

function showRetired(retired) {
  byId("retired").hidden = !retired.length;
  if (!retired.length) return;
  const known = retired.filter(({ profit }) => profit !== null);
  const profit = known.reduce((sum, market) => sum + Number(market.profit), 0);
  setText(
    byId("retired-summary"),
    `${count(retired.length)} markets left, profit of the ${count(known.length)} that paid out: ${dollars(profit)}`,
  );
  const body = byId("retired-rows");
  const key = retired.map(({ condition_id: id, at_ms: at, profit: gained }) => `${id} ${at} ${gained}`).join();
  if (body.dataset.key === key) return;
  body.dataset.key = key;
  body.replaceChildren(...[...retired].reverse().map(retiredRow));
}

function retiredRow(left) {
  const cells = [
    left.question,
    words(left.reason),
    clock(left.at_ms),
    shares(left.pairs),
    shares(left.imbalance, { signed: true }),
    dollars(left.spent),
    dollars(left.fees),
    left.payout === null ? UNKNOWN : dollars(left.payout),
    left.profit === null ? UNKNOWN : dollars(left.profit),
  ];
  const row = element("tr", "", ...cells.map((text) => element("td", "", text)));
  row.lastElementChild.className = left.profit === null ? "soft" : Number(left.profit) < 0 ? "bad" : "good";
  return row;
}

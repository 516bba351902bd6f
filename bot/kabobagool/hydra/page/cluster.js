// What only a cluster's page shows: the ArbMarket behind each market, with its phase, its conditions and what happened to it lately.
// Hydra's markets have no `arb`, and its fleet no `cluster`.

import { element, setClass, setText, showFacts } from "./dom.js";
import { clock, roughly, short } from "./format.js";

const SHORT = { MarketDataFresh: "Fresh" };
const GOOD = ["Resolved", "Ready", "MarketDataFresh", "Trading"];

/** The scope that halts all that a market's halt may belong to: in a cluster its wallet, else the one wallet there is. */
export const walletScope = (market) => (market.scope ? `${market.scope.split("/")[0]}/wallet` : "wallet");

/** The scope that halts this market alone; null while nobody knows which market it is. */
export const marketScope = (market) => (market.arb ? market.scope : market.condition_id);

/** How many of a market's conditions say that something is wrong. */
export const complaints = ({ arb }) => arb?.conditions.filter(({ bad }) => bad).length ?? 0;

/** Conditions in a cell: those that are wrong with their reason, of the others the names of those that are true. */
export function showConditions(cell, arb) {
  if (!arb) return;
  const wrong = arb.conditions.filter(({ bad }) => bad);
  const fine = arb.conditions.filter(({ type, status, bad }) => !bad && status === "True" && GOOD.includes(type));
  const key = JSON.stringify([wrong.map(({ type, reason }) => [type, reason]), fine.map(({ type }) => type)]);
  if (cell.dataset.key === key) return;
  cell.dataset.key = key;
  const chips = wrong.map(({ type, reason, message }) => {
    const chip = element("span", "chip bad", `${SHORT[type] ?? type}: ${reason}`);
    chip.title = message;
    return chip;
  });
  cell.replaceChildren(...chips, element("span", "fine", fine.map(({ type }) => SHORT[type] ?? type).join(" ")));
}

/** The part of an opened market that is about its ArbMarket. */
export class ArbDetail {
  constructor() {
    this.facts = element("dl", "facts");
    this.conditions = element("ul", "said");
    this.events = element("ul", "said");
    this.groups = [
      ["ArbMarket", this.facts],
      ["Conditions", this.conditions],
      ["Recent events", this.events],
    ];
  }

  show({ arb }, now) {
    showFacts(this.facts, [
      ["name", arb.name],
      ["phase", `${arb.phase ?? "not looked at yet"}${arb.reason ? `, ${arb.reason}` : ""}`],
      ...(arb.message ? [["why", arb.message]] : []),
      ["mode", arb.mode ?? "unreadable"],
      ["made by", arb.origin === "discovered" ? "discovery" : "a person"],
      ["wallet", arb.wallet ? short(arb.wallet) : "not known"],
      ["bot", arb.bot ?? "not heard"],
      ["may trade", arb.holder ?? "nobody"],
      ...(arb.deleting ? [["deleted", "goes when its bot has finished", "warn"]] : []),
    ]);
    showLines(
      this.conditions,
      arb.conditions.map((condition) => conditionLine(condition, now)),
      "The operator has not said anything yet.",
    );
    showLines(
      this.events,
      arb.events.map((event) => eventLine(event, now)),
      "None since this operator leads.",
    );
  }
}

const conditionLine = ({ type, status, reason, message, since_ms: since, bad }, now) => ({
  strong: `${type} ${status}: ${reason}`,
  text: message,
  small: `for ${roughly(now - since)}`,
  name: bad ? "bad" : "",
});

const eventLine = ({ at_ms: at, reason, message, warning }, now) => ({
  strong: reason,
  text: message,
  small: `${clock(at)}, ${roughly(now - at)} ago`,
  name: warning ? "warn" : "",
});

function showLines(list, lines, nothing) {
  const shown = lines.length ? lines : [{ strong: "", text: nothing, small: "", name: "" }];
  while (list.children.length > shown.length) list.lastElementChild.remove();
  shown.forEach(({ strong, text, small, name }, place) => {
    const line = list.children[place] ?? list.appendChild(element("li", "", element("b"), element("span"), element("small")));
    [strong, text, small].forEach((part, index) => setText(line.children[index], part));
    setClass(line.children[0], name);
  });
}

/** What is to be said above the table about the cluster itself. */
export function clusterNotices({ cluster }) {
  const notices = [];
  if (cluster?.gate === "silent")
    notices.push({
      key: "gate",
      text: ["The order gate does not answer", "No bot can be heard and no new pair is bought; positions are the last that are known."],
      bad: true,
    });
  if (cluster?.gate === "none")
    notices.push({
      key: "gate",
      text: ["There is no shared order gate", "No bot can be heard. KABOBAGOOL_REDIS_URL names its server."],
      bad: false,
    });
  if (cluster?.stopped) notices.push({ key: "stopped", text: ["Discovery makes no bots", cluster.stopped], bad: false });
  return notices;
}

/** The facts of the card that says who watches. */
export function clusterFacts({ cluster, started_ms: since, at_ms: now }) {
  const counts = (named) => Object.entries(named).sort();
  return [
    ["namespace", cluster.namespace],
    ["leader", cluster.leader],
    ["leads for", roughly(now - since)],
    [
      "order gate",
      cluster.gate === "answers" ? "answers" : cluster.gate === "none" ? "none" : "does not answer",
      cluster.gate === "answers" ? "" : "warn",
    ],
    ...counts(cluster.modes).map(([mode, number]) => [`markets ${mode}`, String(number)]),
  ];
}

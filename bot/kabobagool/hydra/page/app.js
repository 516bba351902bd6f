// Where the page begins: one fleet, one stream that keeps it up to date, and the parts that show it.

import { marketScope, walletScope } from "./cluster.js";
import { Control } from "./control.js";
import { Fleet } from "./fleet.js";
import { roughly } from "./format.js";
import { MarketTable } from "./market-table.js";
import { Panels } from "./panels.js";
import { Stream } from "./stream.js";
import { View } from "./view.js";

const fleet = new Fleet();
const view = new View();
const control = new Control({ fleet });
const panels = new Panels({ fleet, onResume: (scope) => control.ask("resume", scope) });
const table = new MarketTable({ fleet, view, onHalt: (market) => control.ask(market.halted ? "resume" : "halt", scopeOf(market)) });

/** A market that stands still because all do can only go on with all. */
const scopeOf = (market) =>
  market.halted && !fleet.facts.halts.some(({ scope }) => scope === marketScope(market)) ? walletScope(market) : marketScope(market);

function silence({ ms, trouble }) {
  const stale = ms !== null;
  const notice = document.getElementById("stale");
  document.body.classList.toggle("stale", stale);
  notice.hidden = !stale;
  if (stale)
    notice.textContent = `${trouble ?? "Connection lost, trying again"}. ${fleet.facts ? `These numbers are ${roughly(ms)} old.` : ""}`;
  document.title = `${stale ? "⚠ stale · " : ""}${panels.title ?? "kabobagool"}`;
}

function showTheme() {
  if (view.theme) document.documentElement.dataset.theme = view.theme;
  else delete document.documentElement.dataset.theme;
}

document.getElementById("theme").addEventListener("click", () => {
  const dark = view.theme ? view.theme === "dark" : matchMedia("(prefers-color-scheme: dark)").matches;
  view.choose({ theme: dark ? "light" : "dark" });
  showTheme();
});
window.addEventListener("hashchange", () => {
  view.read();
  showTheme();
  table.viewChanged();
});
document.getElementById("halt-all").addEventListener("click", () => control.ask("halt", "wallet"));
showTheme();

new Stream({
  whole(account) {
    fleet.replace(account);
    document.body.classList.remove("unknown");
    panels.show();
    table.show({ anew: true });
  },
  changes(account) {
    fleet.change(account);
    panels.show();
    table.show();
  },
  silence,
});

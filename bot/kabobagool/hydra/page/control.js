// Halting and resuming: always through one dialog that says what will happen. The token lives in this object and nowhere else.

import { count } from "./format.js";

const byId = (id) => document.getElementById(id);
const ANSWER_MS = 10_000;
const MEANING = {
  halt:
    "No further order leaves, hedges included: a naked leg stays naked until you resume. " +
    "An order already on its way still ends. Nothing is sold.",
  resume: "Orders may leave again at once.",
};

export class Control {
  #token = null;
  #asked = null;

  constructor({ fleet }) {
    this.fleet = fleet;
    this.dialog = byId("control");
    byId("control-form").addEventListener("submit", (event) => this.#submitted(event));
    byId("cancel").addEventListener("click", () => this.dialog.close());
    byId("forget").addEventListener("click", () => this.#forget());
    this.dialog.addEventListener("close", () => (byId("token").value = ""));
  }

  /** Ask for a confirmation; `action` is "halt" or "resume", `scope` a condition id or "wallet". */
  ask(action, scope) {
    this.#asked = { action, scope };
    const markets = count(this.fleet.markets.size);
    const all = scope === "wallet";
    const verb = action === "halt" ? "Halt" : "Resume";
    const what = scope.endsWith("/wallet") ? "all markets of a wallet" : "this market";
    byId("control-title").textContent = all ? `${verb} all ${markets} markets?` : `${verb} ${what}?`;
    byId("control-subject").textContent = all ? "" : (this.fleet.titleOf(scope) ?? scope);
    byId("control-meaning").textContent = MEANING[action];
    byId("confirm").textContent = all ? `${verb} all` : verb;
    byId("why-field").hidden = action !== "halt";
    byId("why").value = "";
    if (this.fleet.facts.cluster) byId("token").placeholder = "the one in the operator's Secret";
    this.#say("");
    this.#showToken();
    this.dialog.showModal();
    (action === "halt" ? byId("why") : this.#token ? byId("confirm") : byId("token")).focus();
  }

  #forget() {
    this.#token = null;
    this.#showToken();
    byId("token").focus();
  }

  #showToken() {
    byId("token-field").hidden = this.#token !== null;
    byId("token-kept").hidden = this.#token === null;
  }

  #say(error) {
    byId("control-error").textContent = error;
  }

  async #submitted(event) {
    event.preventDefault();
    const token = this.#token ?? byId("token").value.trim();
    const why = byId("why").value.trim();
    if (this.#asked.action === "halt" && !why) return this.#missing("why", "Say why, so that others know.");
    if (!token) return this.#missing("token", this.#whereabouts());
    byId("confirm").disabled = true;
    this.#say("");
    await this.#send(token, why);
    byId("confirm").disabled = false;
  }

  #whereabouts() {
    return this.fleet.facts.cluster
      ? "The token is missing: it is in the Secret that the operator reads KABOBAGOOL_FLEET_TOKEN from."
      : "The token is missing: it was printed at start.";
  }

  #missing(field, error) {
    this.#say(error);
    byId(field).focus();
  }

  async #send(token, why) {
    const { action, scope } = this.#asked;
    try {
      const answer = await fetch(`/${action}`, {
        method: "POST",
        headers: { "Content-Type": "application/json", Authorization: `Bearer ${token}` },
        body: JSON.stringify({ scope, why }),
        signal: AbortSignal.timeout(ANSWER_MS),
      });
      if (answer.ok) {
        this.#token = token;
        this.dialog.close();
        return;
      }
      if (answer.status === 401) this.#forget();
      this.#say((await answer.json()).error);
    } catch {
      this.#say(`No answer, so it is not known whether it did ${action}. Look at the notices above the table, or try again.`);
    }
  }
}

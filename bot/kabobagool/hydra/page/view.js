// What the reader has chosen to see, kept in the address so that a bookmark or a reload shows the same. Never the token.

const DEFAULTS = { sort: "state", direction: "descending", text: "", state: "", theme: "" };

export class View {
  constructor() {
    this.read();
  }

  /** Take over what the address says; what it does not know stays as it is by default. */
  read() {
    const known = new URLSearchParams(location.hash.slice(1));
    for (const [name, usual] of Object.entries(DEFAULTS)) this[name] = known.get(name) ?? usual;
  }

  /** Change choices and write them into the address, without a new entry in the browser's history. */
  choose(choices) {
    Object.assign(this, choices);
    const written = new URLSearchParams();
    for (const [name, usual] of Object.entries(DEFAULTS)) if (this[name] !== usual) written.set(name, this[name]);
    history.replaceState(null, "", written.size ? `#${written}` : location.pathname);
  }
}

// The live connection. Above all it knows how long ago the server last said something: a page that fell silent must say so.

const STALE_MS = 3_000;
const AGAIN_MS = 2_000;
const HANG_UP_MS = 12_000;
const LOOK_MS = 500;

export class Stream {
  #source = null;
  #heardAt = Date.now();
  #openedAt = 0;
  #trouble = null;

  /** `listener` has whole(account), changes(account) and silence({ms, trouble}), the last with ms null while all is well. */
  constructor(listener) {
    this.listener = listener;
    this.#open();
    setInterval(() => this.#look(), LOOK_MS);
  }

  #open() {
    this.#source?.close();
    this.#openedAt = Date.now();
    this.#source = new EventSource("/events");
    this.#source.addEventListener("whole", (event) => this.#heard(() => this.listener.whole(JSON.parse(event.data))));
    this.#source.addEventListener("changes", (event) => this.#heard(() => this.listener.changes(JSON.parse(event.data))));
    for (const kind of ["trouble", "refused"]) this.#source.addEventListener(kind, (event) => this.#refused(JSON.parse(event.data).error));
  }

  #heard(tell) {
    this.#heardAt = Date.now();
    this.#trouble = null;
    tell();
    this.listener.silence({ ms: null, trouble: null });
  }

  #refused(error) {
    this.#trouble = error;
    this.#openedAt = Date.now();
    this.#look();
  }

  /** Say how old the numbers are, and connect again when the browser has given up or the line is dead without knowing it. */
  #look() {
    const now = Date.now();
    const silent = now - this.#heardAt;
    if (silent > STALE_MS || this.#trouble) this.listener.silence({ ms: silent, trouble: this.#trouble });
    const givenUp = this.#source.readyState === EventSource.CLOSED && now - this.#openedAt > AGAIN_MS;
    if (givenUp || (silent > HANG_UP_MS && now - this.#openedAt > HANG_UP_MS)) this.#open();
  }
}

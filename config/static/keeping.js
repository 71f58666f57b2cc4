// Keeps what a labeler has done: every change goes to the server and, until that says so, into the browser's storage.
// Also pings while the person works, so that the task stays theirs, and counts the seconds of work.
class Keeping {
  #timer = null;
  #wait = 1000;
  #quietSince = Date.now();
  #unsaved = null;

  constructor(section, { show, refused }) {
    this.id = section.dataset.assignment;
    this.urls = { draft: section.dataset.draftUrl, hold: section.dataset.holdUrl };
    this.leaseEnds = Date.now() + 1000 * Number(section.dataset.leaseSeconds);
    this.activeSeconds = Number(section.dataset.activeSeconds);
    this.show = show;
    this.refused = refused;
    this.clock = setInterval(() => this.#tick(), 1000);
    this.ping = setInterval(() => this.#hold(), 60_000);
    this.listening = new AbortController();
    this.#tell();
    const options = { signal: this.listening.signal, passive: true };
    for (const kind of ["keydown", "pointermove", "pointerdown", "wheel", "touchmove", "scroll"]) {
      document.addEventListener(kind, () => (this.#quietSince = Date.now()), options);
    }
    addEventListener("online", () => this.#send(), options);
    addEventListener("pagehide", () => this.#sendAtLeaving(), options);
  }

  /** A draft that never reached the server, from an earlier visit of this page. */
  left() {
    try {
      return JSON.parse(localStorage.getItem(this.#name));
    } catch {
      return null;
    }
  }

  save(draft) {
    this.#unsaved = draft;
    this.#store(draft);
    this.show("saving");
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.#send(), 400);
  }

  /** The task is over: nothing is left to keep. */
  end({ forget }) {
    clearTimeout(this.#timer);
    clearInterval(this.clock);
    clearInterval(this.ping);
    this.listening.abort();
    if (forget) this.#store(null);
  }

  get #name() {
    return `plackett:draft:${this.id}`;
  }

  #store(draft) {
    try {
      if (draft === null) localStorage.removeItem(this.#name);
      else localStorage.setItem(this.#name, JSON.stringify(draft));
    } catch {
      // A full or forbidden storage is no reason to stop: the server keeps the draft.
    }
  }

  #body(draft) {
    return new URLSearchParams({ draft: JSON.stringify(draft), active_seconds: this.activeSeconds });
  }

  async #post(url, body) {
    const token = JSON.parse(document.body.getAttribute("hx-headers"))["X-CSRFToken"];
    const answer = await fetch(url, { method: "POST", body, headers: { "X-CSRFToken": token }, redirect: "error" });
    if (answer.status === 409 || answer.status === 404) {
      this.end({ forget: false });
      this.refused((await answer.json()).problem);
      return false;
    }
    if (!answer.ok) throw new Error(`HTTP ${answer.status}`);
    this.leaseEnds = Date.now() + 1000 * (await answer.json()).lease_seconds;
    return true;
  }

  async #send() {
    const draft = this.#unsaved;
    if (draft === null) return;
    try {
      if (!(await this.#post(this.urls.draft, this.#body(draft)))) return;
    } catch {
      this.show("waiting");
      clearTimeout(this.#timer);
      this.#timer = setTimeout(() => this.#send(), this.#wait);
      this.#wait = Math.min(2 * this.#wait, 30_000);
      return;
    }
    this.#wait = 1000;
    if (this.#unsaved !== draft) return;
    this.#unsaved = null;
    this.#store(null);
    this.show("saved");
  }

  #sendAtLeaving() {
    if (this.#unsaved === null) return;
    const body = this.#body(this.#unsaved);
    body.set("csrfmiddlewaretoken", JSON.parse(document.body.getAttribute("hx-headers"))["X-CSRFToken"]);
    navigator.sendBeacon(this.urls.draft, body);
  }

  #tick() {
    const isHere = !document.hidden && Date.now() - this.#quietSince < 60_000;
    if (isHere) this.activeSeconds += 1;
    this.#tell();
  }

  #tell() {
    this.show("tick", { secondsLeft: Math.round((this.leaseEnds - Date.now()) / 1000) });
  }

  // Someone who went away keeps the task for one lease, not for ever.
  #hold() {
    if (document.hidden || Date.now() - this.#quietSince > 300_000) return;
    this.#post(this.urls.hold, new URLSearchParams()).catch(() => {}); // the next ping, or a draft, renews it
  }
}

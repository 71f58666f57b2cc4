// Keeps what a labeler has done: every change goes to the server and, until that says so, into the browser's storage.
// Also pings while the person works, so that the task stays theirs, and counts the seconds of work.
class Keeping {
  #timer = null;
  #wait = 1000;
  #quietSince = Date.now();
  #unsaved = null;
  #at;
  #ahead;

  constructor(section, { show, refused }) {
    this.id = section.dataset.assignment;
    this.urls = { draft: section.dataset.draftUrl, hold: section.dataset.holdUrl };
    this.leaseEnds = Date.now() + 1000 * Number(section.dataset.leaseSeconds);
    this.activeSeconds = Number(section.dataset.activeSeconds);
    this.kept = JSON.parse(section.dataset.draft);
    this.#at = this.kept.at;
    this.#ahead = Date.now() - Number(section.dataset.serverTime);
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

  /** A draft that never reached the server, from an earlier visit of this page; not one that work elsewhere overtook. */
  left() {
    try {
      const draft = JSON.parse(localStorage.getItem(this.#name));
      return draft?.at > this.kept.at ? draft : null;
    } catch {
      return null;
    }
  }

  save(draft) {
    if (this.#isOver) return;
    this.#at = Math.max(this.#at + 1, Date.now() - this.#ahead); // the server's clock: a task may move between devices
    this.#unsaved = { ...draft, at: this.#at };
    this.#store(this.#unsaved);
    this.show("saving");
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.#send(), 400);
  }

  /** The task is over, or is not this page's any more: nothing is left to keep, and nothing under way says so. */
  end({ forget }) {
    clearTimeout(this.#timer);
    clearInterval(this.clock);
    clearInterval(this.ping);
    this.listening.abort();
    if (forget) this.#store(null);
  }

  get #isOver() {
    return this.listening.signal.aborted;
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
    const headers = { "X-CSRFToken": token };
    const { signal } = this.listening;
    const answer = await fetch(url, { method: "POST", body, headers, signal, redirect: "error" });
    if (answer.status === 409 || answer.status === 404) {
      const { problem } = await answer.json();
      this.end({ forget: false });
      this.refused(problem);
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
      if (this.#isOver) return;
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

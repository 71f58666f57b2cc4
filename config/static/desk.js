// The ranking desk: joins the ordering, the tray, the cards and the form's selects, which are what is submitted.
(() => {
  const words = ["1st", "2nd", "3rd"];
  const word = (rank) => words[rank - 1] ?? `${rank}th`;
  let desk = null;

  function strong(text) {
    const made = document.createElement("strong");
    made.textContent = text;
    return made;
  }

  class Desk {
    constructor(section) {
      this.section = section;
      this.form = section.querySelector("#ranking");
      this.cards = [...section.querySelectorAll("[data-answer]")];
      this.ids = this.cards.map((card) => card.dataset.answer);
      this.letters = Object.fromEntries(this.cards.map((card) => [card.dataset.answer, card.dataset.letter]));
      this.keeping = new Keeping(section, { show: (...said) => this.#showKeeping(...said), refused: (text) => this.#problem(text) });
      const left = this.keeping.left();
      this.ordering = new Ordering(this.ids, left ?? this.keeping.kept);
      if (left) this.keeping.save(left);
      this.retry = { timer: null, wait: 2000 };
      this.#listen();
      this.#draw();
      this.#say(this.#question());
    }

    #listen() {
      const { section } = this;
      const places = { left: 0, right: 1 };
      section.querySelectorAll("[data-better]").forEach((button) => {
        const place = places[button.dataset.better];
        button.addEventListener("click", () => this.change((ordering) => ordering.judge(this.pair[place] ?? null)));
      });
      this.cards.forEach((card) => {
        const id = card.dataset.answer;
        card.addEventListener("click", (event) => this.#pressedOn(id, event));
        card.querySelector("select").addEventListener("change", ({ target }) => {
          this.change((ordering) => (target.value ? ordering.setRank(id, Number(target.value)) : ordering.unplace(id)));
        });
      });
      section.querySelector("[data-order]").addEventListener("click", (event) => {
        const chip = event.target.closest("[data-chip]");
        if (chip) this.pick(chip.dataset.chip);
      });
      section.querySelector("[data-undo]").addEventListener("click", (event) => {
        if (!this.ordering.past.length) return; // nothing here to undo: the form takes back the last ranking
        event.preventDefault();
        this.change((ordering) => ordering.undo());
      });
      section.querySelector("[data-raw-all]").addEventListener("click", ({ currentTarget }) => {
        const isRaw = currentTarget.getAttribute("aria-pressed") !== "true";
        currentTarget.setAttribute("aria-pressed", isRaw);
        section.querySelectorAll(".raw-text").forEach((details) => (details.open = isRaw));
      });
      const skip = section.querySelector("#skip");
      // The focus stays in the closed form until the next frame: Enter would send what nobody sees.
      skip.addEventListener("keydown", (event) => skip.matches(":popover-open") || event.preventDefault());
      this.form.addEventListener("submit", (event) => this.#submitting(event), true);
      this.form.addEventListener("htmx:sendError", () => this.#sendAgain("No connection."));
      this.form.addEventListener("htmx:responseError", ({ detail }) => {
        if (detail.xhr.status >= 500) this.#sendAgain("The server could not answer.");
      });
    }

    /** The cards may stand in other columns now. */
    resized() {
      this.#drawQuestion();
    }

    #pressedOn(id, event) {
      const move = event.target.closest("[data-move]")?.dataset.move;
      if (move === "equal") this.change((ordering) => ordering.tieWithAbove(id));
      else if (move) this.change((ordering) => ordering.move(id, move === "up" ? -1 : 1));
    }

    change(act) {
      const subject = this.ordering.active;
      const before = this.ordering.ranks();
      act(this.ordering);
      this.#draw();
      this.#say(`${this.#placing(before, subject)}${this.#question()}`);
      const { candidate } = this.ordering;
      if (candidate !== null && candidate !== subject) this.#card(candidate).scrollIntoView({ block: "nearest" });
      this.keeping.save(this.ordering.draft());
    }

    pick(id) {
      this.ordering.pick(id);
      this.#draw();
      this.#say(this.#question());
      this.#card(id).scrollIntoView({ block: "nearest" });
    }

    shortcut(event) {
      const { key, shiftKey } = event.detail;
      const { active } = this.ordering;
      const letter = this.ids.find((id) => this.letters[id] === key.toUpperCase());
      if (letter) this.pick(letter);
      else if (active === null) return;
      else if (/^[1-9]$/.test(key) && Number(key) <= this.ids.length) this.change((o) => o.setRank(active, Number(key)));
      else if (shiftKey && key === "ArrowUp") this.change((o) => o.move(active, -1));
      else if (shiftKey && key === "ArrowDown") this.change((o) => o.move(active, 1));
      else if (key === "=") this.change((o) => o.tieWithAbove(active));
      else return;
      event.preventDefault();
    }

    #submitting(event) {
      this.form.elements.active_seconds.value = this.keeping.activeSeconds;
      this.form.elements.draft.value = JSON.stringify(this.ordering.draft());
      if (this.ordering.isComplete) return;
      event.preventDefault();
      event.stopImmediatePropagation();
      const names = this.ordering.unplaced.map((id) => this.letters[id]).join(", ");
      this.#say(`Not placed yet: ${names}. ${this.#question()}`);
      this.section.querySelector("[data-question]").classList.add("is-urgent");
    }

    // The form carries its submission's id, so that a ranking sent twice is stored once.
    #sendAgain(why) {
      this.#problem(`${why} Your ranking is kept in this browser and is sent again by itself.`);
      clearTimeout(this.retry.timer);
      const send = () => this.form.isConnected && this.form.requestSubmit();
      this.retry.timer = setTimeout(send, this.retry.wait);
      this.retry.wait = Math.min(2 * this.retry.wait, 30_000);
    }

    #draw() {
      const { ordering } = this;
      const ranks = ordering.ranks();
      for (const id of this.ids) this.#drawCard(id, ranks[id]);
      const strip = this.section.querySelector("[data-order]");
      Tray.draw(strip, ordering, this.letters);
      const handles = this.section.querySelectorAll("[data-handle]");
      Tray.letDrag(strip, handles, (groups) => (groups ? this.change((o) => o.arrange(groups)) : this.#draw()));
      this.#drawQuestion();
    }

    /** From left to right, so that an arrow points at the card that it speaks for; one below the other: from the top. */
    #asTheyStand(ids) {
      const place = (id) => this.#card(id).getBoundingClientRect().left;
      return ids.toSorted((one, other) => place(one) - place(other));
    }

    /** In words what a change did to the answer that it was about. */
    #placing(before, subject) {
      const ranks = this.ordering.ranks();
      const id = subject !== null && ranks[subject] !== before[subject] ? subject : this.ids.find((each) => ranks[each] !== before[each]);
      if (!id) return "";
      const place = ranks[id] ? word(ranks[id]) + (this.ordering.isTied(id) ? ", equal with another" : "") : "not placed";
      return `${this.letters[id]} is ${place}. `;
    }

    #drawCard(id, rank) {
      const card = this.#card(id);
      const isPlacing = id === this.ordering.candidate;
      const badge = card.querySelector("[data-badge]");
      card.classList.toggle("is-active", id === this.ordering.active);
      card.classList.toggle("is-rival", id === this.ordering.rival);
      badge.classList.toggle("accent", Boolean(rank));
      badge.textContent = rank ? word(rank) + (this.ordering.isTied(id) ? " =" : "") : isPlacing ? "placing" : "not placed";
      card.querySelector("select").value = rank ?? "";
      card.querySelectorAll("[data-move]").forEach((button) => (button.disabled = !rank));
    }

    #drawQuestion() {
      const { candidate, selected, isComplete, pair } = this.ordering;
      this.pair = this.#asTheyStand(pair);
      const question = this.section.querySelector("[data-question]");
      question.replaceChildren(...this.#question().split(/\b([A-P])\b/).map((part, index) => (index % 2 ? strong(part) : part)));
      question.classList.remove("is-urgent");
      this.#showVerdicts(candidate !== null && selected === null);
      this.pair.forEach((id, place) => {
        this.section.querySelectorAll("[data-which]")[place].textContent = this.letters[id];
      });
      this.section.querySelector("[data-submit]").setAttribute("aria-disabled", !isComplete);
      this.#drawUndo();
    }

    // A button that goes takes the focus with it, and with that the place of who uses Tab or a screen reader.
    #showVerdicts(areShown) {
      const verdicts = this.section.querySelector("[data-verdicts]");
      const hadFocus = verdicts.contains(document.activeElement);
      verdicts.hidden = !areShown;
      if (hadFocus && !areShown) this.section.querySelector("[data-question]").focus({ preventScroll: true });
    }

    // The steps of a draft from an earlier visit are gone: who wants one back would take back a whole ranking.
    #drawUndo() {
      const undo = this.section.querySelector("[data-undo]");
      const isLocal = this.ordering.past.length > 0;
      undo.title = isLocal ? "Undo the last step" : "Take back your last ranking";
      if (isLocal || this.ordering.isUntouched) delete undo.dataset.confirm;
      else undo.dataset.confirm = "Take back your last ranking? What you placed here is kept for later.";
    }

    #question() {
      const { selected, candidate, isComplete } = this.ordering;
      const letter = this.letters[selected];
      if (selected !== null && candidate !== null) return `Where does ${letter} belong? Give it a rank, or choose ${letter} again to go back.`;
      if (selected !== null) return `Where does ${letter} belong?`;
      if (candidate !== null) return `Which is better, ${this.pair.map((id) => this.letters[id]).join(" or ")}?`;
      return isComplete ? "All placed: submit, or change the order." : "";
    }

    #showKeeping(state, { secondsLeft } = {}) {
      if (state === "tick") return this.#showHold(secondsLeft);
      const texts = { saving: "saving", saved: "saved", waiting: "not saved yet, will retry" };
      const place = document.querySelector("[data-saved]");
      if (!place) return;
      place.textContent = texts[state];
      place.dataset.saved = state;
    }

    #showHold(seconds) {
      const place = document.querySelector("[data-hold]");
      if (!place) return;
      const [minutes, rest] = [Math.floor(seconds / 60), String(seconds % 60).padStart(2, "0")];
      place.querySelector("time").textContent = seconds > 0 ? `${minutes}:${rest}` : "0:00";
      place.title = seconds > 0 ? "Nobody else is given this task meanwhile" : "The hold is over: submit soon, while the place is free";
      place.classList.toggle("is-urgent", seconds < 60);
    }

    #problem(text) {
      const notice = this.section.querySelector("[data-problem]");
      notice.querySelector("p").textContent = text;
      notice.hidden = false;
      notice.scrollIntoView({ block: "nearest" });
    }

    #say(text) {
      document.getElementById("desk-live").textContent = text;
    }

    #card(id) {
      return this.section.querySelector(`[data-answer="${id}"]`);
    }
  }

  function start() {
    const section = document.getElementById("task");
    if (desk?.section === section) return;
    desk?.keeping.end({ forget: desk.section.dataset.assignment !== section?.dataset.assignment });
    desk = section?.dataset.assignment ? new Desk(section) : null;
  }

  // A new task stands here for 20 ms before it is started: a key of that moment was meant for the one before.
  let isSettling = false;
  const isPlain = ({ key, ctrlKey, altKey, metaKey }) => !(key === "Tab" || ctrlKey || altKey || metaKey);

  htmx.onLoad(() => start());
  document.addEventListener("keydown", (event) => isSettling && isPlain(event) && event.preventDefault(), true);
  document.addEventListener("htmx:afterSwap", ({ detail }) => (isSettling ||= detail.target.id === "task"));
  document.addEventListener("htmx:afterSettle", () => (isSettling = false));
  window.addEventListener("resize", () => desk?.resized());
  document.addEventListener("shortcut", (event) => desk?.shortcut(event));
  document.addEventListener("htmx:afterSettle", (event) => {
    if (event.detail.target.id === "task") document.querySelector("#task [data-focus]")?.focus({ preventScroll: true });
  });
  document.addEventListener("htmx:beforeSwap", ({ detail }) => {
    if (detail.target.id !== "task" || !detail.xhr.response) return;
    const isDesk = detail.xhr.response.includes('id="task"');
    if (isDesk && detail.xhr.status === 404) Object.assign(detail, { shouldSwap: true, isError: false });
    const isForeign = !isDesk && detail.shouldSwap;
    if (!isForeign && detail.xhr.status !== 403) return;
    detail.shouldSwap = false; // they signed out, or in again, meanwhile: a fresh page, and the draft is still here
    location.reload();
  });
})();

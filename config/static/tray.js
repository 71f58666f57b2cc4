// The order so far in the tray: a box for each rank, a gap between two boxes, chips that are dragged between them.
const Tray = (() => {
  function element(name, className, text = "") {
    const made = document.createElement(name);
    made.className = className;
    made.textContent = text;
    return made;
  }

  function chip(id, letter, { isActive = false, isWaiting = false } = {}) {
    const button = element("button", "chip", isActive && isWaiting ? `${letter} ?` : letter);
    button.type = "button";
    button.dataset.chip = id;
    button.classList.toggle("is-active", isActive);
    button.classList.toggle("is-waiting", isWaiting);
    button.setAttribute("aria-label", isWaiting ? `${letter}, not placed yet` : letter);
    return button;
  }

  /** Draws the ordering into the strip. */
  function draw(strip, ordering, letters) {
    const parts = [element("span", "gap")];
    ordering.groups.forEach((group) => {
      const box = element("span", "box");
      group.ids.forEach((id, index) => {
        if (index) box.append(element("span", "sign", "="));
        box.append(chip(id, letters[id], { isActive: id === ordering.active }));
      });
      parts.push(box, element("span", "gap"));
    });
    parts.at(-1).classList.add("is-end");
    const waiting = element("span", "waiting");
    for (const id of ordering.unplaced) waiting.append(chip(id, letters[id], { isActive: id === ordering.active, isWaiting: true }));
    strip.replaceChildren(...parts, waiting);
  }

  // A letter dragged from its card leaves its old chip behind: the place where it was dropped holds.
  function read(strip, dropped) {
    const isShown = (chip) => chip === dropped || chip.dataset.chip !== dropped.dataset.chip;
    return [...strip.querySelectorAll(".gap, .box")].map((holder) =>
      [...holder.querySelectorAll("[data-chip]")].filter(isShown).map((chip) => chip.dataset.chip),
    );
  }

  /** Makes chips draggable within the strip, and from the letters on the cards into it. */
  function letDrag(strip, handles, arranged) {
    const common = {
      draggable: "[data-chip]",
      forceFallback: true, // the same drag for mouse and touch, that the page can style
      fallbackTolerance: 4,
      delay: 120,
      delayOnTouchOnly: true,
      onStart: () => document.body.classList.add("is-dragging"),
      onEnd: ({ to, item }) => {
        document.body.classList.remove("is-dragging");
        arranged(strip.contains(to) ? read(strip, item) : null);
      },
    };
    strip.querySelectorAll(".gap, .box, .waiting").forEach((holder) => {
      // Past the last chip is the last place: only where some still wait is there anything to go back to.
      const takes = !holder.matches(".waiting:empty");
      Sortable.create(holder, { ...common, group: { name: "answers", pull: true, put: takes } });
    });
    handles.forEach((handle) => {
      if (Sortable.get(handle)) return;
      Sortable.create(handle, { ...common, group: { name: "answers", pull: "clone", put: false }, sort: false });
    });
  }

  return { draw, letDrag };
})();

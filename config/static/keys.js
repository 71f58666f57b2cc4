// Single-key shortcuts. An element with data-key="s" is clicked by that key while it is visible and enabled;
// other keys go out as a cancelable "shortcut" event on the document. Silent while typing, and off by a switch.
// A key that is held down counts once, but for Shift with an arrow, which moves step by step.
(() => {
  const typing = "input:not([type=checkbox], [type=radio]), select, textarea, [contenteditable]";
  const pressable = "a[href], button, summary, input, select, textarea";
  const switchName = "single-keys-off";

  function areOff() {
    try {
      return localStorage.getItem(switchName) === "yes";
    } catch {
      return false;
    }
  }

  function isForThePage(event) {
    if (event.defaultPrevented || event.isComposing || event.ctrlKey || event.metaKey || event.altKey) return false;
    if (document.querySelector("dialog[open], [popover]:popover-open")) return false;
    if (event.target.closest(typing)) return false;
    return !(["Enter", " "].includes(event.key) && event.target.closest(pressable));
  }

  function button(key) {
    const name = key.length === 1 ? key.toLowerCase() : key;
    const found = [...document.querySelectorAll("[data-key]")].filter((e) => e.dataset.key.split(" ").includes(name));
    return found.find((element) => !element.disabled && element.checkVisibility());
  }

  document.addEventListener("keydown", (event) => {
    const isMove = event.shiftKey && event.key.startsWith("Arrow");
    if (areOff() || !isForThePage(event) || (event.repeat && !isMove)) return;
    const target = isMove ? null : button(event.key);
    if (target) {
      event.preventDefault();
      target.click();
      return;
    }
    const { key, shiftKey } = event;
    const shortcut = new CustomEvent("shortcut", { cancelable: true, detail: { key, shiftKey } });
    if (!document.dispatchEvent(shortcut)) event.preventDefault();
  });

  document.addEventListener("DOMContentLoaded", () => {
    const box = document.querySelector("[data-single-keys]");
    if (!box) return;
    box.checked = !areOff();
    box.addEventListener("change", () => localStorage.setItem(switchName, box.checked ? "no" : "yes"));
  });
})();

// Loaded before the page is drawn: sets the chosen theme at once, so that nothing flashes, and marks that scripts run.
(() => {
  const root = document.documentElement;
  const names = { auto: "as the system", light: "light", dark: "dark" };
  const order = Object.keys(names);

  function stored() {
    try {
      const name = localStorage.getItem("theme");
      return name in names ? name : "auto";
    } catch {
      return "auto";
    }
  }

  function apply(name) {
    if (name === "auto") delete root.dataset.theme;
    else root.dataset.theme = name;
    for (const button of document.querySelectorAll("[data-theme-switch]")) {
      button.dataset.shows = name;
      button.querySelector("[data-theme-name]").textContent = names[name];
    }
    document.dispatchEvent(new CustomEvent("theme:changed"));
  }

  root.classList.add("js");
  apply(stored());
  document.addEventListener("DOMContentLoaded", () => apply(stored()));
  document.addEventListener("click", (event) => {
    if (!event.target.closest("[data-theme-switch]")) return;
    const next = order[(order.indexOf(stored()) + 1) % order.length];
    try {
      localStorage.setItem("theme", next);
    } catch {
      return apply(next);
    }
    apply(next);
  });
})();

// What every page does: ask before something that cannot be undone, tell of a failed request, dismiss a message.
(() => {
  let confirmed = null;

  function ask(question, go) {
    const dialog = document.getElementById("confirm");
    document.getElementById("confirm-question").textContent = question;
    dialog.returnValue = "";
    confirmed = go;
    dialog.showModal();
  }

  // It is told late of a question that was closed: the next one may stand there by then, and waits for its own answer.
  document.addEventListener(
    "close",
    ({ target }) => {
      if (target.id === "confirm" && !target.open && target.returnValue === "yes") confirmed();
    },
    true,
  );

  // A part of the page that looks again by itself puts a new form in the place of the one that was asked about.
  function sameForm(form) {
    return [...document.forms].find((other) => other.dataset.confirm && other.action === form.action);
  }

  // In the capturing phase, so that neither htmx nor the browser sends a form before the answer.
  document.addEventListener(
    "submit",
    (event) => {
      const form = event.target;
      const question = event.submitter?.dataset.confirm || form.dataset.confirm;
      if (!question) return;
      if (form.dataset.confirmed) {
        delete form.dataset.confirmed;
        return;
      }
      event.preventDefault();
      event.stopImmediatePropagation();
      const submitter = event.submitter;
      ask(question, () => {
        const asked = form.isConnected ? form : sameForm(form);
        if (!asked) return tell("This is not here any more. Look again before you decide.");
        asked.dataset.confirmed = "yes";
        asked.requestSubmit(submitter?.isConnected ? submitter : null);
      });
    },
    true,
  );

  function tell(text) {
    const box = document.getElementById("messages");
    const message = document.getElementById("message-template").content.cloneNode(true);
    message.querySelector("p").textContent = text;
    message.firstElementChild.dataset.kind = "request";
    box.querySelectorAll("[data-kind=request]").forEach((old) => old.remove());
    box.append(message);
  }

  const said = {
    403: "You may not do this. Ask an admin of the project for the role it needs.",
    404: "This is not here any more. Load the page again to see what is.",
    429: "Too many tries. Wait a little, then try again.",
    503: "The server is starting again. Try once more in a few seconds.",
  };
  const sendsAgain = (event) => event.detail.elt.closest("[data-retries]"); // it says so itself
  document.addEventListener("htmx:responseError", (event) => {
    if (event.detail.xhr.status >= 500 && sendsAgain(event)) return;
    tell(said[event.detail.xhr.status] || "The server could not do this. Nothing was changed; try again.");
  });
  document.addEventListener("htmx:sendError", (event) => {
    if (sendsAgain(event)) return;
    tell("No connection to the server. Nothing was changed; try again when it is back.");
  });

  document.addEventListener("click", (event) => {
    if (event.target.closest("[data-dismiss]")) event.target.closest(".message").remove();
  });
})();

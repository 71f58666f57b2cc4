// On a narrow screen the tabs scroll sideways: bring the one that is open into view.
document.querySelector(".tabs [aria-current]")?.scrollIntoView({ block: "nearest", inline: "center" });

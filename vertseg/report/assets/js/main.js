// Puts the page together, and again when the language or the chosen vertebra changes.
const PANELS = [
  ["collapse", collapsePanel], ["lesion", lesionPanel], ["wall", wallPanel], ["canal", canalPanel], ["density", densityPanel],
  ["sins", sinsPanel], ["leaks", leaksPanel], ["cement", cementPanel], ["corridors", corridorsPanel], ["spread", spreadPanel], ["cannulas", cannulasPanel],
  ["size", sizePanel],
];

function vertebraReport(v) {
  const parts = PANELS.map(([name, make]) => element("div", { class: "slot", "data-panel": name }, make(v)));
  return element("article", { id: `report-${v.level}`, class: "vertebra", hidden: v.level !== state.level ? true : null, "aria-label": v.level },
    element("h2", {}, element("span", { class: `light ${v.attention.light}`, "aria-hidden": "true" }, LIGHT_SIGN[v.attention.light]), v.level,
      element("small", {}, v.code.meaning)),
    reasons(v), picture(v, "cuts"), element("div", { class: "panels" }, parts));
}

/** Build one panel of a vertebra anew, the focus staying on the same control. */
function renderPanel(v, name, make) {
  const focused = document.activeElement?.id;
  document.querySelector(`#report-${v.level} [data-panel="${name}"]`).replaceChildren(make(v));
  if (focused) document.getElementById(focused)?.focus();
}

function render() {
  document.documentElement.lang = state.language;
  document.title = t("title");
  for (const place of document.querySelectorAll("[data-text]")) place.textContent = t(place.dataset.text);
  languages();
  levelList();
  viewerControls();
  document.getElementById("warnings").replaceChildren(...DATA.warnings.map((text) => note(text, "warning")));
  const reports = DATA.vertebrae.map(vertebraReport);
  document.getElementById("vertebra").replaceChildren(...(reports.length ? reports : [note(t("levels.none"))]));
  document.getElementById("provenance").replaceChildren(...provenance());
}

function languages() {
  const box = document.getElementById("languages");
  box.setAttribute("aria-label", t("language"));
  box.replaceChildren(...Object.keys(TEXTS).map((language) => element("button", {
    type: "button", lang: language, "data-language": language, "aria-pressed": String(language === state.language),
    onclick: () => { state.language = language; render(); document.querySelector(`[data-language="${language}"]`).focus(); },
  }, TEXTS[language].language_name)));
}

function choose(level) {
  state.level = level;
  for (const report of document.querySelectorAll("article")) report.hidden = report.id !== `report-${level}`;
  for (const button of document.querySelectorAll("#levels button")) {
    if (button.dataset.level === level) button.setAttribute("aria-current", "true");
    else button.removeAttribute("aria-current");
  }
  focusLevel();
}

function start() {
  const order = { red: 0, amber: 1, green: 2 };
  const first = [...DATA.vertebrae].sort((a, b) => order[a.attention.light] - order[b.attention.light])[0];
  state.level = first ? first.level : null;
  render();
  document.getElementById("print").addEventListener("click", () => window.print());
  openViewer();
}

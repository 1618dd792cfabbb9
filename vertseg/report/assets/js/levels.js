// The list of levels with their traffic lights; arrow keys go up and down.
const LIGHT_SIGN = { red: "\u25b2", amber: "\u25c6", green: "\u25cf" };

function levelList() {
  const nav = document.getElementById("levels");
  nav.setAttribute("aria-label", t("levels.label"));
  const items = DATA.vertebrae.map((v) => element("li", {}, levelButton(v)));
  nav.replaceChildren(element("h2", {}, t("levels.label")), element("ul", {}, items), legend());
  if (DATA.other_levels.length) nav.append(note(t("levels.others", { levels: DATA.other_levels.join(", ") })));
}

function levelButton(v) {
  const { light } = v.attention;
  return element("button",
    { type: "button", class: `level ${light}`, "data-level": v.level, "aria-current": v.level === state.level ? "true" : null, onclick: () => choose(v.level), onkeydown: stepLevels },
    element("span", { class: "light", "aria-hidden": "true" }, LIGHT_SIGN[light]), element("span", { class: "name" }, v.level),
    element("span", { class: "sr" }, named("light", light)),
  );
}

function stepLevels(event) {
  const step = { ArrowDown: 1, ArrowRight: 1, ArrowUp: -1, ArrowLeft: -1 }[event.key];
  if (!step) return;
  event.preventDefault();
  const i = DATA.vertebrae.findIndex((v) => v.level === event.currentTarget.dataset.level) + step;
  if (i < 0 || i >= DATA.vertebrae.length) return;
  choose(DATA.vertebrae[i].level);
  document.querySelector(`#levels [data-level="${DATA.vertebrae[i].level}"]`).focus();
}

function legend() {
  return element("ul", { class: "legend" }, ["red", "amber", "green"].map((light) =>
    element("li", { class: light }, element("span", { class: "light", "aria-hidden": "true" }, LIGHT_SIGN[light]), named("light", light))));
}

/** Why a vertebra's light is not green. */
function reasons(v) {
  const shares = new Set(["lytic_share", "leak", "uncertain_level"]);
  const said = v.attention.reasons.map((r) => element("li", { class: r.light },
    element("span", { class: "light", "aria-hidden": "true" }, LIGHT_SIGN[r.light]),
    t(`reason.${r.code}`, { value: r.value === null ? "" : shares.has(r.code) ? percent(r.value) : number(r.value, 0) })));
  return said.length ? element("ul", { class: "reasons" }, said) : note(t("reason.nothing"));
}

// Cement volume and cannula corridors.
function cementPanel(v) {
  const c = v.planning?.cement;
  if (!c) return null;
  const range = c.suggested_ml && `${number(c.suggested_ml[0])}\u2013${withUnit(c.suggested_ml[1], "ml")}`;
  return panel("cement",
    facts([
      [t("cement.suggested"), range ?? t("cement.nothing")],
      [t("cement.fillable"), withUnit(c.fillable_ml, "ml")],
      c.lesion_fillable_ml > 0 && [t("cement.lesion"), withUnit(c.lesion_fillable_ml, "ml")],
      c.cement_ml > 0 && [t("cement.present"), withUnit(c.cement_ml, "ml")],
    ]),
    c.remarks.map((given) => note(remark(given))),
    note(t("cement.source", { source: c.source })),
  );
}

function corridorsPanel(v) {
  const corridors = v.planning?.corridors;
  if (!corridors?.length) return null;
  const head = ["corridor.way", "corridor.gauge", "corridor.angles", "corridor.length", "corridor.canal", "corridor.lateral", "corridor.endplate"].map((key) => t(key));
  const open = corridors.filter((c) => c.feasible);
  const rows = open.map((c) => [
    way(c), c.gauge ? `${c.gauge} (${number(c.diameter_mm)}\u00a0mm)` : "\u2013",
    `${number(c.angles.medial_deg, 0)}\u00b0 / ${number(c.angles.cranial_deg, 0)}\u00b0`,
    c.length_mm === null ? withUnit(c.bone_to_target_mm, "mm", 0) + "*" : withUnit(c.length_mm, "mm", 0),
    number(c.clearance.canal_mm), number(c.clearance.lateral_mm), number(c.clearance.endplate_mm),
  ]);
  const closed = corridors.filter((c) => !c.feasible);
  return panel("corridors",
    rows.length ? table(t("corridor.caption"), head, rows) : note(t("corridor.none"), "warning"),
    rows.length && open.some((c) => c.length_mm === null) ? note(t("corridor.from_bone")) : null,
    element("div", { class: "places" }, open.map((c) => placeButtons(c))),
    picture(v, "corridors"),
    open.flatMap((c) => c.warnings.map((w) => note(`${way(c)}: ${remark(w)}`, "warning"))),
    closed.length ? element("ul", { class: "closed" }, closed.map((c) => element("li", {}, `${way(c)}: ${c.reason ? remark(c.reason) : t("corridor.closed")}`))) : null,
    note(t("corridor.vessels")),
  );
}

function way(corridor) {
  return `${named("corridor_side", corridor.side)}, ${named("corridor_kind", corridor.kind)}`;
}

function placeButtons(c) {
  const go = (key, place) => place && element("button", { type: "button", class: "link", onclick: () => showPlace(place) }, t(key));
  return element("span", {}, `${way(c)}: `, go("corridor.show_entry", c.entry_bone_mm), " ", go("corridor.show_target", c.target_mm));
}

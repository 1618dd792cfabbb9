// After the injection: where the cement went; and a cannula that is in the scan.
function spreadPanel(v) {
  const s = v.planning?.spread;
  if (!s) return null;
  const rows = s.leaks.map((leak) => [
    named("compartment", leak.compartment), leak.route ? named("route", leak.route) : "\u2013", number(leak.volume_ml, 2), number(leak.length_mm, 0), number(leak.reach_mm, 0),
    element("button", { type: "button", class: "link", onclick: () => showPlace(leak.centre_mm) }, t("spread.show")),
  ]);
  const head = ["spread.where", "spread.route", "spread.volume", "spread.length", "spread.reach", "spread.show"].map((key) => t(key));
  return panel("spread",
    facts([
      [t("spread.in_body"), withUnit(s.body_ml, "ml") + (s.filled_share === null ? "" : `, ${t("spread.filled", { share: percent(s.filled_share) })}`)],
      s.lesion_filled_share !== null && [t("spread.lesion"), percent(s.lesion_filled_share)],
      s.posterior_ml > 0 && [t("spread.posterior"), withUnit(s.posterior_ml, "ml", 2)],
      [t("spread.leaked"), withUnit(s.leaked_ml, "ml", 2)],
      s.canal_narrowing_percent !== null && [t("spread.canal"), withUnit(s.canal_narrowing_percent, "%", 0)],
    ]),
    rows.length ? table(t("spread.caption"), head, rows) : note(t("spread.none_outside")),
    s.warnings.map((text) => note(text, "warning")),
  );
}

function cannulasPanel(v) {
  const found = v.planning?.cannulas ?? [];
  return panel("cannulas", found.map(({ cannula, place, deviation }) => facts([
    [t("cannula.tip"), place.third ? t("cannula.third", { part: named("part", place.part), third: named("third", place.third) }) : named("part", place.part)],
    place.to_anterior_mm !== null && [t("cannula.to_anterior"), withUnit(place.to_anterior_mm, "mm")],
    place.to_posterior_wall_mm !== null && [t("cannula.to_wall"), withUnit(place.to_posterior_wall_mm, "mm")],
    place.canal_mm !== null && [t("cannula.canal"), withUnit(place.canal_mm, "mm")],
    deviation && [t("cannula.deviation"), t("cannula.off", { angle: number(deviation.angle_deg, 0), entry: number(deviation.entry_mm), tip: number(deviation.tip_mm) })],
  ])));
}

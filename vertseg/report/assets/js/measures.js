// Panels of what was measured: size and collapse, lesion, density, canal.
function collapsePanel(v) {
  const c = v.planning?.collapse;
  const heights = c ? [c.anterior_mm, c.middle_mm, c.posterior_mm] : [v.height_anterior_mm, v.height_middle_mm, v.height_posterior_mm];
  if (heights.every((h) => h === null)) return panel("collapse", note(t("collapse.not_measured")));
  const rows = [[t("collapse.height"), ...heights.map((h) => number(h))]];
  if (c?.neighbours.length) {
    rows.push([t("collapse.expected", { levels: c.neighbours.join(", ") }), ...[c.expected_anterior_mm, c.expected_middle_mm, c.expected_posterior_mm].map((h) => number(h))]);
    rows.push([t("collapse.loss"), ...[c.loss_anterior_percent, c.loss_middle_percent, c.loss_posterior_percent].map((h) => number(h, 0))]);
  }
  const heading = [t("collapse.heights"), t("place.anterior"), t("place.middle"), t("place.posterior")];
  const a = v.planning?.alignment;
  return panel("collapse", v.cut_by_field ? note(t("collapse.cut"), "warning") : null, table(t("collapse.heights"), heading, rows), facts([
    c && c.genant_grade !== null && [t("collapse.genant"), `${c.genant_grade} (${named("collapse_shape", c.shape ?? "none")})`],
    c?.vertebra_plana && [t("collapse.plana"), t("yes")],
    c && c.reference_mm !== null && [t("collapse.reference"), `${withUnit(c.reference_mm, "mm")}, ${t("collapse.reference_loss", { loss: number(c.loss_reference_percent, 0) })}`],
    !c && v.height_ratio !== null && [t("collapse.ratio"), number(v.height_ratio, 2)],
    a && a.wedge_deg !== null && [t("alignment.wedge"), withUnit(a.wedge_deg, "\u00b0")],
    a && a.segment_kyphosis_deg !== null && [t("alignment.kyphosis", { levels: a.segment.join("\u2013") }), withUnit(a.segment_kyphosis_deg, "\u00b0")],
    a && a.slip_below_mm !== null && [t("alignment.slip_below"), withUnit(a.slip_below_mm, "mm")],
    a && a.slip_above_mm !== null && [t("alignment.slip_above"), withUnit(a.slip_above_mm, "mm")],
  ]));
}

function lesionPanel(v) {
  const l = v.planning?.lesion;
  return panel("lesion", facts([
    l && [t("lesion.kind"), named("lesion_kind", l.kind)],
    [t("lesion.lytic"), v.lesion_share === null ? withUnit(v.lytic_ml, "ml") : `${withUnit(v.lytic_ml, "ml")}, ${t("lesion.of_body", { share: percent(v.lesion_share) })}`],
    [t("lesion.sclerotic"), withUnit(v.sclerotic_ml, "ml") + (l?.sclerotic_share != null ? `, ${t("lesion.of_body", { share: percent(l.sclerotic_share) })}` : "")],
    ...(l && l.lytic_ml > 0 ? lyticFacts(l) : []),
    [t("lesion.cement"), withUnit(v.cement_ml, "ml")],
  ]));
}

function lyticFacts(l) {
  return [
    l.side !== "none" && [t("lesion.side"), named("side", l.side)],
    [t("lesion.endplates"), t("lesion.upper_lower", { upper: percent(l.upper_endplate_share), lower: percent(l.lower_endplate_share) })],
    l.wall_share !== null && [t("lesion.wall"), percent(l.wall_share)],
    l.wall_distance_mm !== null && l.wall_distance_mm > 0 && [t("lesion.wall_distance"), withUnit(l.wall_distance_mm, "mm")],
    [t("lesion.pedicles"), t("lesion.left_right", { left: percent(l.left_pedicle_share), right: percent(l.right_pedicle_share) })],
    l.posterior_ml > 0 && [t("lesion.posterior"), withUnit(l.posterior_ml, "ml")],
  ];
}

function densityPanel(v) {
  const d = v.planning?.density;
  if (!d) return null;
  if (d.mean_hu === null) return panel("density", note(t("density.not_measured")));
  return panel("density",
    facts([
      [t("density.mean"), `${withUnit(d.mean_hu, "HU", 0)} (${t("density.sd", { sd: number(d.sd_hu, 0) })}, ${withUnit(d.volume_ml, "ml")})`],
      d.band && [t("density.band"), named("density_band", d.band)],
    ]),
    note(t("density.contrast")),
  );
}

function canalPanel(v) {
  const c = v.planning?.canal;
  if (!c) return null;
  if (c.area_mm2 === null) return panel("canal", note(t("canal.not_measured")));
  return panel("canal", facts([
    [t("canal.area"), withUnit(c.area_mm2, "mm\u00b2", 0)],
    c.narrowing_percent !== null && [t("canal.narrowing"), withUnit(c.narrowing_percent, "%", 0)],
    c.depth_mm !== null && [t("canal.depth"), withUnit(c.depth_mm, "mm")],
    c.depth_narrowing_percent !== null && [t("canal.depth_narrowing"), withUnit(c.depth_narrowing_percent, "%", 0)],
    c.retropulsion_mm !== null && [t("canal.retropulsion"), withUnit(c.retropulsion_mm, "mm")],
    c.retropulsion_ml > 0 && [t("canal.retropulsion_volume"), withUnit(c.retropulsion_ml, "ml", 2)],
  ]));
}

/** What the report of a vertebra begins with: size, and how sure its level is. */
function sizePanel(v) {
  return panel("size", facts([
    [t("size.body"), withUnit(v.body_ml, "ml")],
    [t("size.posterior"), withUnit(v.posterior_ml, "ml")],
    [t("size.confidence"), percent(v.confidence)],
    v.inferred && [t("size.inferred"), t("yes")],
    v.cut_by_field && [t("size.cut"), t("yes")],
  ]));
}

// The posterior wall: its map and its defects.
function wallPanel(v) {
  const w = v.planning?.wall;
  if (!w) return panel("wall", facts([[t("wall.defect"), withUnit(v.wall_defect_mm2, "mm\u00b2", 0)]]));
  if (w.wall_mm2 === null) return panel("wall", note(t("wall.not_seen")));
  const defects = w.defects.map((d) => [
    `${named("wall_row", d.row)}, ${named("wall_column", d.column)}`,
    number(d.area_mm2, 0), percent(d.share), d.at_foramen ? t("yes") : t("no"), number(d.canal_distance_mm),
  ]);
  const head = ["wall.place", "wall.area", "wall.share", "wall.at_foramen", "wall.to_canal"].map((key) => t(key));
  return panel("wall",
    facts([
      [t("wall.size"), `${number(w.width_mm, 0)} \u00d7 ${withUnit(w.height_mm, "mm", 0)}, ${withUnit(w.wall_mm2, "mm\u00b2", 0)}`],
      [t("wall.defect"), `${withUnit(w.defect_mm2, "mm\u00b2", 0)} (${percent(w.defect_share)})`],
      w.foramen_defect_mm2 > 0 && [t("wall.foramen_defect"), withUnit(w.foramen_defect_mm2, "mm\u00b2", 0)],
      w.cortex_mm !== null && [t("wall.cortex"), `${withUnit(w.cortex_mm, "mm")}, ${withUnit(w.cortex_hu, "HU", 0)}`],
      w.thin_mm2 !== null && [t("wall.thin"), withUnit(w.thin_mm2, "mm\u00b2", 0)],
    ]),
    picture(v, "wall"),
    defects.length ? table(t("wall.defects"), head, defects) : note(t("wall.no_defect")),
  );
}

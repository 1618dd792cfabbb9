// What the report was made from and with.
function provenance() {
  const scan = DATA.scan;
  const described = Object.entries(scan.description).map(([key, value]) => `${key}: ${value}`).join("; ");
  const networks = Object.entries(DATA.checkpoints).map(([task, c]) => [
    t("provenance.network", { task }), `sha256 ${c.sha256.slice(0, 16)}\u2026, ${t("provenance.trained", { steps: number(c.steps ?? null, 0), data: learnedFrom(c.trained_on) })}`,
  ]);
  return [
    element("h2", {}, t("provenance.title")),
    facts([
      scan.name && [t("provenance.file"), scan.name],
      [t("provenance.scan"), `sha256 ${scan.sha256}`],
      [t("provenance.grid"), `${scan.shape.join(" \u00d7 ")}, ${scan.spacing_mm.map((s) => number(s, 2)).join(" \u00d7 ")} mm`],
      described && [t("provenance.description"), described],
      ...networks,
      [t("provenance.ran"), `${DATA.engine}, ${DATA.device}`],
      [t("provenance.versions"), Object.entries(DATA.versions).map(([name, version]) => `${name} ${version}`).join(", ")],
    ]),
    note(t("provenance.lights")),
    note(t("provenance.research")),
  ];
}

function learnedFrom(trained) {
  if (!trained) return t("unknown");
  return Object.entries(trained).map(([name, value]) => (typeof value === "object" && value !== null ? name : `${name}: ${value}`)).join(", ");
}

// SINS: what the image tells, the pain that the clinic knows, and the range of the total.
const PAIN_POINTS = { unknown: [0, 3], none: [0, 0], occasional: [1, 1], mechanical: [3, 3] };
const SINS_PARTS = ["location", "pain", "lesion", "alignment", "collapse", "posterolateral"];

function sinsWithPain(sins, pain) {
  const [low, high] = pain ? PAIN_POINTS[pain] : [sins.pain.low, sins.pain.high];
  return { low: sins.low - sins.pain.low + low, high: sins.high - sins.pain.high + high, pain: { low, high } };
}

function stability(total) {
  return total <= 6 ? "stable" : total <= 12 ? "potentially_unstable" : "unstable";
}

function range(low, high) {
  return low === high ? String(low) : `${low}\u2013${high}`;
}

function sinsPanel(v) {
  const sins = v.planning?.sins;
  if (!sins) return null;
  if (!sins.applicable) return panel("sins", note(t("sins.not_applicable")));
  const stated = sins.pain.finding in PAIN_POINTS ? sins.pain.finding : null;
  const pain = state.pains[v.level] ?? stated;
  const total = sinsWithPain(sins, pain);
  const rows = SINS_PARTS.map((part) => {
    const points = part === "pain" ? total.pain : sins[part];
    const finding = part === "pain" && pain ? pain : sins[part].finding;
    return [t(`sins.${part}`), named("sins_finding", finding), range(points.low, points.high)];
  });
  const classes = [...new Set([stability(total.low), stability(total.high)])].map((name) => named("stability", name));
  return panel("sins",
    choice({
      name: `pain-${v.level}`, legend: t("sins.ask_pain"), value: pain ?? "unknown",
      options: Object.keys(PAIN_POINTS).map((name) => [name, named("pain", name)]),
      change: (value) => { state.pains[v.level] = value; renderPanel(v, "sins", sinsPanel); },
    }),
    table(t("sins.parts"), [t("sins.part"), t("sins.found"), t("sins.points")], rows),
    element("p", { class: "total", role: "status" }, t("sins.total", { range: range(total.low, total.high), class: classes.join(" / ") })),
  );
}

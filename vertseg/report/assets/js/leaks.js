// Leak risk: what-if over volume, viscosity and approach; the simulated injection beside it; what drives it.
const OUTCOMES = ["any", "B", "S", "C", "D"];

/** Value of a curve between the volumes that it was computed at. */
function interpolated(volumes, values, volume) {
  const i = Math.min(volumes.length - 2, Math.max(0, volumes.findIndex((v) => v >= volume) - 1));
  const share = Math.min(1, Math.max(0, (volume - volumes[i]) / (volumes[i + 1] - volumes[i])));
  return values[i] + share * (values[i + 1] - values[i]);
}

function planOf(v) {
  const { risk, what_if: table } = v.planning.leaks;
  state.plans[v.level] ??= {
    volume: Math.min(table.volumes_ml.at(-1), Math.max(table.volumes_ml[0], risk.volume_ml ?? 4)),
    viscosity: risk.viscosity ?? "medium",
    approach: risk.approach ?? "unipedicular",
  };
  return state.plans[v.level];
}

function curveOf(v) {
  const plan = planOf(v);
  return v.planning.leaks.what_if.curves.find((c) => c.viscosity === plan.viscosity && c.approach === plan.approach);
}

function leaksPanel(v) {
  const leaks = v.planning?.leaks;
  const withheld = leaks?.risk ? leaks.risk.withheld : v.leak_abstained ? "network" : null;
  const parts = [note(t("leaks.basis"))];
  if (withheld) parts.push(note(named("withheld", withheld), "warning"));
  if (leaks?.what_if && leaks.risk) parts.push(whatIf(v, withheld));
  else parts.push(bars(OUTCOMES.map((o) => [o, v.leak_probability[o], null, null]), withheld));
  if (leaks) parts.push(...simulatedParts(v), ...driverParts(leaks), ...indicationParts(leaks));
  return panel("leaks", ...parts);
}

function bars(rows, withheld) {
  const shown = rows.filter(([, risk]) => risk !== undefined);
  return element("div", { class: withheld ? "bars withheld" : "bars" }, shown.map(([outcome, risk, low, high]) => bar(named("route", outcome), risk, low, high)));
}

function whatIf(v, withheld) {
  const plan = planOf(v);
  const volumes = v.planning.leaks.what_if.volumes_ml;
  const shown = element("div", { class: "what-if-result", role: "status", "aria-live": "polite" });
  const slider = element("input", {
    type: "range", id: `volume-of-${v.level}`, min: volumes[0], max: volumes.at(-1), step: 0.1, value: plan.volume,
    oninput: (event) => { plan.volume = Number(event.target.value); show(); },
  });
  const value = element("output", { for: slider.id });
  function show() {
    const curve = curveOf(v);
    const at = (values) => (values ? interpolated(volumes, values, plan.volume) : null);
    const rows = OUTCOMES.map((o) => [o, at(curve.risk[o]), at(curve.low?.[o]), at(curve.high?.[o])]);
    value.textContent = withUnit(plan.volume, "ml");
    slider.setAttribute("aria-valuetext", withUnit(plan.volume, "ml"));
    shown.replaceChildren(bars(rows, withheld), riskChart(volumes, curve, { volume: plan.volume, risk: rows[0][1] }, simulatedCurve(v)));
    shown.dataset.any = rows[0][1];
  }
  show();
  const options = (names, family) => names.map((name) => [name, named(family, name)]);
  return element("div", { class: "what-if" },
    element("div", { class: "slider" }, element("label", { for: slider.id }, t("leaks.volume")), slider, value),
    choice({ name: `viscosity-${v.level}`, legend: t("leaks.viscosity"), value: plan.viscosity, options: options(["low", "medium", "high"], "viscosity"), change: (name) => { plan.viscosity = name; show(); } }),
    choice({ name: `approach-${v.level}`, legend: t("leaks.approach"), value: plan.approach, options: options(["unipedicular", "bipedicular"], "approach"), change: (name) => { plan.approach = name; show(); } }),
    shown,
  );
}

/** Shares of the simulated injections over volume, where the sliders ask for the plan that was simulated. */
function simulatedCurve(v) {
  const run = v.planning.leaks.mechanistic?.run;
  const plan = planOf(v);
  if (!run || run.viscosity !== plan.viscosity || run.approach !== plan.approach) return null;
  const inside = run.volumes_ml.map((ml, i) => [ml, run.share_at.any[i]]).filter(([ml]) => ml >= 1);
  return { volumes: inside.map(([ml]) => ml), shares: inside.map(([, share]) => share) };
}

function simulatedParts(v) {
  const { mechanistic, disagreements } = v.planning.leaks;
  if (!mechanistic) return [];
  const title = element("h4", {}, t("simulated.title"));
  if (!mechanistic.run) return [title, note(named("not_computed", mechanistic.not_computed))];
  const run = mechanistic.run;
  const first = run.first_leaks[0];
  const plan = t("simulated.plan", { runs: run.seeds.length, volume: number(run.volume_ml), viscosity: named("viscosity", run.viscosity), approach: named("approach", run.approach) });
  return [
    title, note(plan),
    bars(OUTCOMES.map((o) => [o, run.shares[o].share, run.shares[o].low, run.shares[o].high]), null),
    facts([
      [t("simulated.first"), run.first_leak_ml ? t("simulated.first_at", { median: number(run.first_leak_ml[0]), low: number(run.first_leak_ml[1]), high: number(run.first_leak_ml[2]) }) : t("simulated.none")],
      first && [t("simulated.soonest"), element("button", { type: "button", class: "link", onclick: () => showPlace(first.place_mm) }, t("simulated.place", { route: named("route", first.route), volume: number(first.volume_ml) }))],
    ]),
    ...disagreements.map((d) => note(t("simulated.disagree", { outcome: named("route", d.outcome), learned: percent(d.learned), simulated: percent(d.simulated) }), "warning")),
  ];
}

function driverParts(leaks) {
  if (!leaks.drivers) return [];
  const title = element("h4", {}, t("drivers.title"));
  if (leaks.drivers.drivers.length === 0) return [title, note(t("drivers.none"))];
  const rows = leaks.drivers.drivers.map((d) => [
    named("finding", d.finding), percent(d.risk.any), percent(d.without.any), signed(d.difference.any), d.removed === null ? "\u2013" : percent(d.removed),
  ]);
  const head = ["drivers.finding", "drivers.with", "drivers.without", "drivers.difference", "drivers.removed"].map((key) => t(key));
  return [title, table(t("drivers.caption"), head, rows)];
}

function signed(share) {
  return `${share > 0 ? "+" : ""}${number(100 * share, 0)}`;
}

function indicationParts(leaks) {
  if (!leaks.indication) return [];
  const { indication, effects } = leaks.indication;
  return [
    element("h4", {}, t("indication.title", { indication: named("indication", indication) })),
    element("ul", {}, effects.map((e) => element("li", {}, TEXTS[state.language][`effect.${e.key}`] ?? e.sentence, " ", element("cite", {}, e.source)))),
    note(t("indication.stated")),
  ];
}

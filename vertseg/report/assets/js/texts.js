// Texts by key in the language that is shown, and numbers as that language writes them.
const DATA = JSON.parse(document.getElementById("data").textContent);
const TEXTS = JSON.parse(document.getElementById("texts").textContent);
const state = { language: DATA.language, level: null, plans: {}, pains: {} };

function t(key, values = {}) {
  const text = TEXTS[state.language][key];
  if (text === undefined) return key;
  return text.replace(/\{(\w+)\}/g, (whole, name) => (name in values ? String(values[name]) : whole));
}

/** Text of a value out of a closed list; the value itself where it is new. */
function named(family, value) {
  const key = `${family}.${value}`;
  return TEXTS[state.language][key] === undefined ? String(value).replaceAll("_", " ") : t(key);
}

function number(value, digits = 1) {
  if (value === null || value === undefined) return t("unknown");
  return new Intl.NumberFormat(state.language, { minimumFractionDigits: digits, maximumFractionDigits: digits }).format(value);
}

function withUnit(value, unit, digits = 1) {
  return value === null || value === undefined ? t("unknown") : `${number(value, digits)}\u00a0${unit}`;
}

function percent(share, digits = 0) {
  return share === null || share === undefined ? t("unknown") : `${number(100 * share, digits)}\u00a0%`;
}

/** A remark of the plan: its code's text where there is one, else its English sentence. */
function remark(given) {
  const key = `remark.${given.code}`;
  if (TEXTS[state.language][key] === undefined) return given.sentence;
  const values = Object.fromEntries(Object.entries(given.values ?? {}).map(([name, value]) => [name, number(value)]));
  return t(key, values);
}

// Elements of the page from plain values; nothing is ever parsed as HTML.
function element(tag, attributes = {}, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (name.startsWith("on")) made.addEventListener(name.slice(2), value);
    else if (name === "class") made.className = value;
    else if (value !== null && value !== undefined && value !== false) made.setAttribute(name, value === true ? "" : value);
  }
  made.append(...children.flat().filter((child) => child !== null && child !== undefined));
  return made;
}

/** A titled part of a vertebra's report; null where none of its children is there. */
function panel(name, ...children) {
  const shown = children.flat().filter(Boolean);
  if (shown.length === 0) return null;
  return element("section", { class: `panel ${name}` }, element("h3", {}, t(`panel.${name}`)), shown);
}

/** Name and value pairs; those without a value to show are left out. */
function facts(pairs) {
  const shown = pairs.filter(Boolean);
  if (shown.length === 0) return null;
  return element(
    "dl", { class: "facts" },
    shown.map(([name, value]) => element("div", {}, element("dt", {}, name), element("dd", {}, value))),
  );
}

function table(caption, head, rows) {
  const cells = (tag, row, scope) => row.map((cell, i) => element(i === 0 && tag === "td" ? "th" : tag, { scope: i === 0 && tag === "td" ? "row" : scope }, cell));
  return element(
    "div", { class: "scroll", tabindex: "0", role: "group", "aria-label": caption },
    element("table", {}, element("caption", {}, caption),
      element("thead", {}, element("tr", {}, cells("th", head, "col"))),
      element("tbody", {}, rows.map((row) => element("tr", {}, cells("td", row, null)))),
    ),
  );
}

function note(text, kind = "note") {
  return element("p", { class: kind }, text);
}

function picture(vertebra, name) {
  const source = vertebra.pictures[name];
  if (!source) return null;
  const caption = t(`picture.${name}`, { level: vertebra.level });
  return element("figure", {}, element("img", { src: source, alt: caption }), element("figcaption", {}, caption));
}

/** Radio buttons in a row. */
function choice({ name, legend, options, value, change }) {
  return element(
    "fieldset", { class: "choice" }, element("legend", {}, legend),
    options.map(([option, text]) => {
      const id = `${name}-${option}`;
      return element("span", {},
        element("input", { type: "radio", name, id, value: option, checked: option === value, onchange: () => change(option) }),
        element("label", { for: id }, text),
      );
    }),
  );
}

const SVG = "http://www.w3.org/2000/svg";
function drawn(tag, attributes = {}, ...children) {
  const made = document.createElementNS(SVG, tag);
  for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
  made.append(...children.flat().filter((child) => child !== null));
  return made;
}

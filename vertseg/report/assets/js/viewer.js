// The scan with its masks in NiiVue; the preview picture where the browser has no WebGL2.
const viewer = { niivue: null, indices: {}, shown: {}, opacity: 0.5, view: "multi" };
const VIEWS = { multi: "MULTIPLANAR", sagittal: "SAGITTAL", coronal: "CORONAL", axial: "AXIAL", render: "RENDER" };

async function bytesOf(name) {
  const encoded = document.getElementById(`volume-${name}`).textContent;
  const packed = Uint8Array.from(atob(encoded), (c) => c.charCodeAt(0));
  const stream = new Blob([packed]).stream().pipeThrough(new DecompressionStream("gzip"));
  return new Response(stream).arrayBuffer();
}

function hasWebGL2() {
  try {
    return Boolean(document.createElement("canvas").getContext("webgl2"));
  } catch {
    return false;
  }
}

async function openViewer() {
  if (!hasWebGL2() || typeof DecompressionStream === "undefined") return fallback("viewer.no_webgl");
  try {
    const nv = new niivue.Niivue({
      logLevel: "silent", backColor: [0.04, 0.04, 0.05, 1], crosshairColor: [0.2, 0.9, 1, 0.6], crosshairWidth: 0.8,
      isRadiologicalConvention: true, sagittalNoseLeft: true, show3Dcrosshair: true, dragAndDropEnabled: false, isColorbar: false,
      multiplanarForceRender: true, multiplanarLayout: 2, textHeight: 0.035,
    });
    await nv.attachToCanvas(document.getElementById("canvas"));
    for (const layer of DATA.layers) await addLayer(nv, layer);
    viewer.niivue = nv;
    setView("multi");
    focusLevel();
    document.body.dataset.viewer = "ready";
  } catch (error) {
    fallback("viewer.failed", error.message);
  }
}

async function addLayer(nv, layer) {
  const buffer = await bytesOf(layer.name);
  const ct = layer.name === "ct";
  const image = await niivue.NVImage.loadFromUrl({
    url: `${layer.name}.nii`, name: `${layer.name}.nii`, buffer, colormap: "gray", opacity: ct ? 1 : viewer.opacity,
    ...(ct ? { cal_min: -150, cal_max: 700 } : {}),
  });
  if (!ct) image.setColormapLabel(labelColours(layer));
  nv.addVolume(image);
  viewer.indices[layer.name] = nv.volumes.length - 1;
  viewer.shown[layer.name] = true;
}

function labelColours(layer) {
  const table = { R: [0], G: [0], B: [0], A: [0], I: [0], labels: [""] };
  for (const [value, { rgb, name }] of Object.entries(layer.colours)) {
    table.I.push(Number(value));
    table.labels.push(name);
    table.A.push(255);
    ["R", "G", "B"].forEach((channel, i) => table[channel].push(rgb[i]));
  }
  return table;
}

function fallback(key, detail = "") {
  document.body.dataset.viewer = "picture";
  const box = document.getElementById("picture");
  box.replaceChildren(...(DATA.preview ? [element("img", { src: DATA.preview, alt: t("viewer.preview") })] : []));
  viewer.note = [key, detail];
  viewerControls();
}

function setView(name) {
  viewer.view = name;
  viewer.niivue.setSliceType(niivue.SLICE_TYPE[VIEWS[name]]);
  viewerControls();
}

function toggleLayer(name, shown) {
  viewer.shown[name] = shown;
  viewer.niivue.setOpacity(viewer.indices[name], shown ? viewer.opacity : 0);
}

function setOpacity(opacity) {
  viewer.opacity = opacity;
  for (const layer of DATA.layers.slice(1)) if (viewer.shown[layer.name]) toggleLayer(layer.name, true);
}

/** Put the crosshair on a world position, RAS mm. */
function showPlace(place) {
  const nv = viewer.niivue;
  if (!nv) return;
  nv.scene.crosshairPos = nv.mm2frac(place);
  nv.createOnLocationChange();
  nv.drawScene();
  document.getElementById("scan").scrollIntoView({ block: "nearest" });
}

function focusLevel() {
  const v = DATA.vertebrae.find((one) => one.level === state.level);
  const nv = viewer.niivue;
  if (!v || !nv) return;
  nv.scene.crosshairPos = nv.mm2frac(v.centroid_mm);
  nv.createOnLocationChange();
  nv.drawScene();
}

function viewerControls() {
  const box = document.getElementById("view-controls");
  document.getElementById("scan").setAttribute("aria-label", t("viewer.label"));
  document.getElementById("canvas")?.setAttribute("aria-label", t("viewer.canvas"));
  const [key, detail] = viewer.note ?? [viewer.niivue ? "viewer.how" : "viewer.opening", ""];
  document.getElementById("view-note").textContent = t(key, { detail });
  if (!viewer.niivue) return box.replaceChildren();
  const views = choice({ name: "view", legend: t("viewer.view"), value: viewer.view, options: Object.keys(VIEWS).map((name) => [name, named("view", name)]), change: setView });
  const masks = element("fieldset", { class: "masks" }, element("legend", {}, t("viewer.masks")), DATA.layers.slice(1).map(maskBox));
  const opacity = element("label", { class: "opacity" }, t("viewer.opacity"),
    element("input", { type: "range", id: "opacity", min: 0, max: 1, step: 0.05, value: viewer.opacity, oninput: (e) => setOpacity(Number(e.target.value)) }));
  box.replaceChildren(views, masks, opacity);
}

function maskBox(layer) {
  const id = `mask-${layer.name}`;
  const [first] = Object.values(layer.colours);
  const colour = layer.name === "levels" ? "linear-gradient(90deg,#e6194b,#ffe119,#3cb44b,#0082c8)" : `rgb(${first.rgb.join(",")})`;
  return element("span", {},
    element("input", { type: "checkbox", id, checked: viewer.shown[layer.name], onchange: (e) => toggleLayer(layer.name, e.target.checked) }),
    element("label", { for: id }, element("span", { class: "swatch", style: `background:${colour}` }), named("layer", layer.name)));
}

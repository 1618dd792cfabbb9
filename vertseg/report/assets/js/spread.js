// After the injection: where the cement went.
function spreadPanel(v) {
  return null;
}

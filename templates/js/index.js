(function () {
  "use strict";
  var table = document.getElementById("table");
  var body = table.tBodies[0];
  var rows = Array.from(body.rows).filter(function (row) { return row.dataset.rank; });
  var form = document.getElementById("filters");
  var controls = Array.from(form.querySelectorAll("input, select"));
  var selects = controls.filter(function (control) { return control.tagName === "SELECT"; });
  function filter() {
    var find = document.getElementById("find").value.trim().toLowerCase();
    var chosen = selects.filter(function (select) { return select.value; });
    var shown = 0;
    rows.forEach(function (row) {
      var data = row.dataset;
      row.hidden = !(data.search.includes(find) && chosen.every(function (select) {
        return data[select.id].split("\n").includes(select.value);
      }));
      shown += row.hidden ? 0 : 1;
    });
    document.getElementById("shown").textContent = shown + " of " + rows.length + " shown";
  }
  // The filters are kept in the URL, so that it can be shared as a link.
  function remember() {
    var said = new URLSearchParams();
    controls.forEach(function (control) { if (control.value) said.set(control.id, control.value); });
    history.replaceState(null, "", "#" + said);
  }
  function recall() {
    if (location.hash && !location.hash.includes("=")) { return; } // an anchor in the page
    var said = new URLSearchParams(location.hash.slice(1));
    controls.forEach(function (control) { control.value = said.get(control.id) || ""; });
    filter();
  }
  function sort(head) {
    var key = head.dataset.key;
    var sign = head.getAttribute("aria-sort") === "ascending" ? -1 : 1;
    var numeric = ["rank", "weight", "bytes"].includes(key);
    rows.sort(function (a, b) {
      var x = a.dataset[key], y = b.dataset[key];
      return sign * (numeric ? x - y : (x > y) - (x < y));
    });
    table.querySelectorAll("th[aria-sort]").forEach(function (th) { th.removeAttribute("aria-sort"); });
    head.setAttribute("aria-sort", sign > 0 ? "ascending" : "descending");
    body.replaceChildren.apply(body, rows);
  }
  table.querySelectorAll("th[data-key]").forEach(function (head) {
    var button = document.createElement("button");
    button.type = "button";
    button.textContent = head.textContent;
    button.addEventListener("click", function () { sort(head); });
    head.replaceChildren(button);
  });
  form.addEventListener("input", function () { filter(); remember(); });
  window.addEventListener("hashchange", recall);
  form.addEventListener("submit", function (event) { event.preventDefault(); });
  form.hidden = false;
  filter();
  recall();
}());

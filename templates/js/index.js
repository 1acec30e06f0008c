(function () {
  "use strict";
  var table = document.getElementById("table");
  var body = table.tBodies[0];
  var rows = Array.from(body.rows).filter(function (row) { return row.dataset.rank; });
  var form = document.getElementById("filters");
  function value(id) { return document.getElementById(id).value.trim().toLowerCase(); }
  function filter() {
    var find = value("find"), verdict = value("verdict"), severity = value("severity"), rule = value("rule");
    var shown = 0;
    rows.forEach(function (row) {
      var data = row.dataset;
      var keep = data.search.includes(find) && (!verdict || data.verdict === verdict) &&
        (!severity || data.severities.split(" ").includes(severity)) &&
        (!rule || data.search.split(" ").includes(rule));
      row.hidden = !keep;
      shown += keep ? 1 : 0;
    });
    document.getElementById("shown").textContent = shown + " of " + rows.length + " shown";
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
  form.addEventListener("input", filter);
  form.addEventListener("submit", function (event) { event.preventDefault(); });
  form.hidden = false;
  filter();
}());

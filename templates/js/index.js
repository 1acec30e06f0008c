(function () {
  "use strict";
  var table = document.getElementById("table");
  var body = table.tBodies[0];
  var rows = Array.from(body.rows).filter(function (row) { return row.dataset.rank; })
    .map(function (row) { return {data: Object.assign({}, row.dataset), shown: row}; });
  var most = Math.max(rows.length, 1);
  var found = rows, first = 0;
  // Rows beyond the first page are data, each a copy of a kind with its own path, reason and size.
  var rest = document.getElementById("rest");
  if (rest) {
    var kinds = Array.from(document.getElementById("kinds").content.children);
    var shared = kinds.map(function (kind) { return Object.assign({}, kind.dataset); });
    var said = JSON.parse(rest.textContent);
    said.rows.forEach(function (own) {
      var data = Object.create(shared[own[0]]);
      data.path = own[1];
      data.bytes = own[3];
      data.search = own[7] || own[1].toLowerCase() + " " + shared[own[0]].search;
      rows.push({data: data, own: own});
    });
  }
  function element(row) {
    if (row.shown) { return row.shown; }
    var own = row.own, made = kinds[own[0]].cloneNode(true), note = made.querySelector(".note");
    made.dataset.path = own[1];
    made.dataset.bytes = own[3];
    made.querySelector("th code").textContent = own[1];
    made.querySelectorAll("a").forEach(function (link) {
      link.setAttribute("href", link.getAttribute("href").replace("/*/", "/" + own[2] + "/"));
    });
    made.querySelector(".number").textContent = own[4];
    note.textContent = said.reasons[own[5]];
    if (own[6]) {
      var origin = note.cloneNode();
      origin.className = "note origin";
      origin.textContent = own[6];
      note.after(origin);
    }
    return made;
  }
  var form = document.getElementById("filters");
  var controls = Array.from(form.querySelectorAll("input, select"));
  var selects = controls.filter(function (control) { return control.tagName === "SELECT"; });
  function filter() {
    if (!rows.length) { return; } // the table says so
    var find = document.getElementById("find").value.trim().toLowerCase();
    var chosen = selects.filter(function (select) { return select.value; });
    found = rows.filter(function (row) {
      return row.data.search.includes(find) && chosen.every(function (select) {
        return row.data[select.id].split("\n").includes(select.value);
      });
    });
    document.getElementById("shown").textContent = found.length + " of " + rows.length + " shown";
    turn(0);
  }
  function turn(start) {
    first = start;
    var page = found.slice(first, first + most);
    body.replaceChildren.apply(body, page.map(element));
    if (!rest) { return; }
    document.getElementById("pages").hidden = found.length <= most;
    document.getElementById("range").textContent =
      (first + 1) + " to " + (first + page.length) + " of " + found.length;
    document.getElementById("back").hidden = first === 0;
    document.getElementById("next").hidden = first + most >= found.length;
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
      var x = a.data[key], y = b.data[key];
      return sign * (numeric ? x - y : (x > y) - (x < y));
    });
    table.querySelectorAll("th[aria-sort]").forEach(function (th) { th.removeAttribute("aria-sort"); });
    head.setAttribute("aria-sort", sign > 0 ? "ascending" : "descending");
    filter();
  }
  if (rest) {
    document.getElementById("back").addEventListener("click", function () { turn(first - most); });
    document.getElementById("next").addEventListener("click", function () {
      turn(first + most);
      table.scrollIntoView();
    });
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

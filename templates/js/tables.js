// Adds a filter and sortable headers to long tables. Without scripts they stay static.
(function () {
  "use strict";
  var UNITS = { kB: 1e3, MB: 1e6, GB: 1e9, TB: 1e12 };
  var words = new Intl.Collator("en", { numeric: true });
  function amount(text) {
    var number = text.replace(/,/g, "").replace(/−/g, "-").match(/-?\d+(\.\d+)?(e[-+]?\d+)?/);
    var unit = text.match(/[kMGT]B/);
    return number ? Number(number[0]) * (unit ? UNITS[unit[0]] : 1) : -Infinity; // "–" is not a number
  }
  function make(tag, parent, text) {
    var made = document.createElement(tag);
    made.textContent = text || "";
    parent.append(made);
    return made;
  }
  // The first click sorts ascending, the second descending, the third restores the original order.
  function sort(table, head, original) {
    var was = head.getAttribute("aria-sort");
    var numeric = head.classList.contains("number");
    var rows = original.map(function (row) {
      var text = row.cells[head.cellIndex].textContent;
      return { row: row, key: numeric ? amount(text) : text };
    });
    table.querySelectorAll("[aria-sort]").forEach(function (th) { th.removeAttribute("aria-sort"); });
    if (was !== "descending") {
      var sign = was === "ascending" ? -1 : 1;
      head.setAttribute("aria-sort", sign > 0 ? "ascending" : "descending");
      rows.sort(function (a, b) {
        return sign * (numeric ? (a.key > b.key) - (a.key < b.key) : words.compare(a.key, b.key));
      });
    }
    var body = table.tBodies[0];
    rows.forEach(function (one) { body.append(one.row); });
  }
  function filter(table, text, told) {
    var shown = 0, rows = table.tBodies[0].rows;
    Array.prototype.forEach.call(rows, function (row) {
      row.hidden = !row.textContent.toLowerCase().includes(text);
      shown += row.hidden ? 0 : 1;
    });
    told.textContent = shown + " of " + rows.length + " shown";
  }
  document.querySelectorAll("table.long").forEach(function (table) {
    var bar = document.createElement("p");
    var label = make("label", bar, "Find in this table ");
    var input = make("input", label);
    var told = make("output", bar);
    bar.className = "find";
    input.type = "search";
    told.setAttribute("aria-live", "polite");
    input.addEventListener("input", function () { filter(table, input.value.trim().toLowerCase(), told); });
    table.closest(".scroll").before(bar);
    var original = Array.from(table.tBodies[0].rows);
    table.querySelectorAll("thead th").forEach(function (head) {
      var button = document.createElement("button");
      button.type = "button";
      button.textContent = head.textContent;
      button.addEventListener("click", function () { sort(table, head, original); });
      head.replaceChildren(button);
    });
  });
}());

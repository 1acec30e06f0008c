// Tables that are wider than the page can be scrolled with the keyboard, too.
document$.subscribe(() => {
  for (const wrapper of document.querySelectorAll(".md-typeset__scrollwrap")) wrapper.tabIndex = 0;
});

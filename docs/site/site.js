// What is wider than the screen scrolls by keyboard only where it can have the focus. The theme wraps tables when it starts.
addEventListener("load", () => {
  for (const each of document.querySelectorAll(".md-typeset__scrollwrap, pre > code")) each.tabIndex = 0;
});

// Runs before the first paint, so that a chosen theme does not flash. Kept apart from the
// application because the content security policy allows no inline script.
(function () {
  try {
    var theme = localStorage.getItem('wardline.theme');
    if (theme === 'light' || theme === 'dark') document.documentElement.dataset.theme = theme;
  } catch {
    // storage is off: the system decides
  }
})();

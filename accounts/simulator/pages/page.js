'use strict';

// Every touch is reported, with the words of what was touched.
function report(e) {
  const label = e.target.closest('label');
  if (label && label.control && label.control !== e.target) return; // a click on its field follows
  const what = e.target.closest('button, a, input, [role="button"]') || e.target;
  const words = (label || what).innerText || what.value || what.tagName.toLowerCase();
  navigator.sendBeacon('/simulator/click', new URLSearchParams({page: document.body.dataset.page, label: words.trim()}));
}
document.addEventListener('click', report, true);
document.addEventListener('pointerdown', function (e) { // a disabled button is never clicked
  if (e.target.closest(':disabled')) report(e);
}, true);

// What comes late.
for (const late of document.querySelectorAll('template[data-delay]')) {
  setTimeout(function () { late.replaceWith(late.content); }, Number(late.dataset.delay));
}

// What opens a window: at once where the browser lets it, else when it is clicked.
for (const opener of document.querySelectorAll('[data-open]')) {
  const open = function () { window.open(opener.dataset.open, '', 'popup,width=520,height=640'); };
  opener.addEventListener('click', open);
  open();
}

// What goes away when it is answered.
for (const button of document.querySelectorAll('[data-dismiss]')) {
  button.addEventListener('click', function () { button.closest(button.dataset.dismiss).remove(); });
}

// What a frame is answered with: the page around it looks again.
for (const button of document.querySelectorAll('[data-human]')) {
  button.addEventListener('click', function () { window.parent.location.reload(); });
}

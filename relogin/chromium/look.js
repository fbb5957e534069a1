// What a page shows, seen from a world of its own that the page's scripts cannot
// reach into. It changes nothing.
({
  // shown tells whether an element takes up room and is not hidden.
  shown(element, opaque) {
    const box = element.getBoundingClientRect();
    return box.width > 0 && box.height > 0 && element.checkVisibility({
      visibilityProperty: true, checkVisibilityCSS: true,
      opacityProperty: opaque, checkOpacity: opaque,
    });
  },

  enabled(element) {
    return !element.matches(':disabled') &&
      !element.closest('[inert], [aria-disabled="true"], fieldset:disabled, button:disabled');
  },

  label(element) {
    const written = element instanceof HTMLInputElement ? element.value : element.innerText;
    return (written.trim() || element.getAttribute('aria-label') || '').replace(/\s+/g, ' ').trim();
  },

  // buttons are the elements that could be pressed. Of one inside another with the
  // same label, the inner one is meant.
  buttons(selector) {
    const found = [...document.querySelectorAll(selector)].filter((e) => this.shown(e, true) && this.enabled(e));
    return found.filter((outer) => !found.some((inner) =>
      inner !== outer && outer.contains(inner) && this.label(inner) === this.label(outer)));
  },

  look(selectors, presses) {
    return {
      ready: document.readyState !== 'loading',
      complete: document.readyState === 'complete',
      title: document.title.slice(0, 1000),
      text: (document.body?.innerText ?? '').slice(0, 200000),
      selectors: selectors.map((s) => s !== '' && [...document.querySelectorAll(s)].some((e) => this.shown(e, false))),
      labels: presses.map((s) => s === '' ? [] : this.buttons(s).slice(0, 100).map((e) => this.label(e).slice(0, 200))),
      frames: [...document.querySelectorAll('iframe, frame')].map((e) => e.src).filter((s) => s !== '').slice(0, 100),
    };
  },

  // aim brings the only button with a label into view, and returns its middle, or
  // null when something else would be hit there, or the page is at another address.
  aim(selector, label, address) {
    if (location.href.split('#')[0] !== address) return null;
    const [button, ...others] = this.buttons(selector).filter((e) => this.label(e) === label);
    if (!button || others.length > 0) return null;
    button.scrollIntoView({block: 'center', inline: 'center', behavior: 'instant'});
    const box = button.getBoundingClientRect();
    const at = {x: box.x + box.width / 2, y: box.y + box.height / 2};
    const hit = document.elementFromPoint(at.x, at.y);
    return hit && button.contains(hit) ? at : null;
  },
})

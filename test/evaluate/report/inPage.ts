/** What tests ask of a page: text, since the types of a browser are not among the project's. */

/** Every visible text's contrast to what lies behind it (WCAG 2.2): how many there are, and the least. */
export const CONTRAST = `(() => {
  const parse = (color) => {
    const numbers = (color.match(/[\\d.]+/g) ?? []).map(Number);
    const [r, g, b, alpha = 1] = numbers;
    return color.startsWith("color(") ? [r * 255, g * 255, b * 255, alpha] : [r, g, b, alpha];
  };
  const luminance = ([r, g, b]) => {
    const linear = [r, g, b].map((c) => c / 255).map((c) => (c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4));
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2];
  };
  const behind = (element) => {
    for (let one = element; one !== null; one = one.parentElement) {
      const color = parse(getComputedStyle(one).backgroundColor);
      if (color[3] > 0) return color;
    }
    return [255, 255, 255, 1];
  };
  let texts = 0;
  let worst = { ratio: Infinity, text: "" };
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (walker.nextNode()) {
    const element = walker.currentNode.parentElement;
    const text = walker.currentNode.textContent.trim();
    if (text === "" || element.closest(".skip") !== null || !element.checkVisibility()) continue;
    texts++;
    const style = getComputedStyle(element);
    const ink = parse(element.namespaceURI.endsWith("svg") ? style.fill : style.color);
    const [a, b] = [luminance(ink), luminance(behind(element))].sort((x, y) => y - x);
    const ratio = (a + 0.05) / (b + 0.05);
    if (!(ratio >= worst.ratio)) worst = { ratio, text };
  }
  return { texts, worst };
})()`;

/** What has the focus: its label or text, its outline, and whether it is on the screen; null where nothing has. */
export const FOCUSED = `(() => {
  const element = document.activeElement;
  if (element === null || element === document.body) return null;
  const box = element.getBoundingClientRect();
  const isVisible = box.width > 0 && box.bottom > 0 && box.top < innerHeight && box.left >= 0;
  const what = element.getAttribute("aria-label") ?? element.textContent.trim();
  return { what, outline: getComputedStyle(element).outlineStyle, isVisible };
})()`;

/**
 * An element of the page by its id.
 * @template {HTMLElement} T
 * @param {string} id
 * @param {new () => T} kind
 * @returns {T}
 * @throws where the page has none of that kind
 */
export function element(id, kind) {
  const found = document.getElementById(id);
  if (found instanceof kind) return found;
  throw new Error(`the page has no ${kind.name} with the id "${id}"`);
}

/**
 * @param {string} id
 * @param {string} text
 */
export function setText(id, text) {
  element(id, HTMLElement).textContent = text;
}

/** An element of index.html by its id. @throws where the page has none of that kind */
export function element<T extends HTMLElement>(id: string, kind: new () => T): T {
  const found = document.getElementById(id);
  if (found instanceof kind) return found;
  throw new Error(`index.html has no ${kind.name} with the id "${id}"`);
}

export function setText(id: string, text: string): void {
  element(id, HTMLElement).textContent = text;
}

/**
 * Takes pictures that are chosen, dropped or pasted, here and in the page of `liqe serve`.
 * @param {HTMLInputElement} input
 * @param {HTMLElement} drop  has the class "over" while files are held over the page
 * @param {(files: readonly File[]) => void} add
 */
export function takePictures(input, drop, add) {
  input.addEventListener("change", () => {
    add([...(input.files ?? [])]);
    input.value = ""; // so that the same files can be chosen again
  });
  for (const kind of ["dragenter", "dragover"]) {
    document.addEventListener(kind, (event) => {
      event.preventDefault();
      drop.classList.add("over");
    });
  }
  document.addEventListener("dragleave", (event) => {
    if (event.relatedTarget === null) drop.classList.remove("over"); // else it is over another part of the page
  });
  document.addEventListener("drop", (event) => {
    event.preventDefault();
    drop.classList.remove("over");
    add([...(event.dataTransfer?.files ?? [])]);
  });
  document.addEventListener("paste", (event) => {
    add([...(event.clipboardData?.files ?? [])]);
  });
}

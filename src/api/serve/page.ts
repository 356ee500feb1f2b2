/** The service's page: the markup of `examples/browser`, whose style it shares, with the scores from the service. */

/** Nothing but the page's own files. */
export const PAGE_POLICY = [
  "default-src 'none'",
  "script-src 'self'",
  "style-src 'self'",
  "connect-src 'self'",
  "img-src 'self'",
  "base-uri 'none'",
  "form-action 'none'",
  "frame-ancestors 'none'",
].join("; ");

export const PAGE = `<!doctype html>
<html lang="en">
  <head>
    <meta charset="utf-8" />
    <meta name="viewport" content="width=device-width, initial-scale=1" />
    <meta name="color-scheme" content="light dark" />
    <title>How good are these photographs?</title>
    <link rel="icon" href="icon.svg" type="image/svg+xml" />
    <link rel="stylesheet" href="style.css" />
    <script type="module" src="page.js"></script>
  </head>
  <body>
    <header>
      <h1>How good are these photographs?</h1>
      <p>A LIQE model looks at them on the server that this page came from; it keeps none of them.</p>
    </header>
    <main>
      <section class="input" aria-label="Pictures">
        <label id="drop" class="drop">
          <input id="file" type="file" accept="image/*" multiple />
          <span class="drop-title">Choose pictures</span>
          <span class="drop-hint">or drop or paste them here</span>
        </label>
        <p id="token-part" hidden><label>Token <input id="token" type="password" autocomplete="off" /></label></p>
        <p id="status" role="status"></p>
        <ul id="error" role="alert" hidden></ul>
      </section>
      <section id="gallery" aria-label="Gallery" hidden>
        <ul id="cards" class="cards"></ul>
      </section>
    </main>
    <footer><p id="engine"></p></footer>
  </body>
</html>
`;

export const PAGE_SCRIPT = `
const element = (id) => document.getElementById(id);
const THUMBNAIL_SIDE = 480;
const waiting = [];
let isBusy = false;
let done = 0;
let total = 0;

const part = (tag, className, text = "") => {
  const made = document.createElement(tag);
  made.className = className;
  made.textContent = text;
  return made;
};

const words = (label) => label.replaceAll("_", " ");

const bars = (probabilities) =>
  Object.entries(probabilities).map(([label, probability]) => {
    const row = document.createElement("div");
    const value = document.createElement("dd");
    const bar = part("span", "bar");
    bar.style.setProperty("--share", probability.toFixed(4));
    value.append(bar, part("span", "figure", (100 * probability).toFixed(0) + " %"));
    row.append(part("dt", "", words(label)), value);
    return row;
  });

const facts = ({ quality, scene, distortion, probabilities }) => {
  const levels = Object.keys(probabilities.quality ?? {}).length;
  const meter = document.createElement("meter");
  meter.setAttribute("aria-label", "Quality");
  [meter.min, meter.max, meter.value] = [1, levels, quality];
  [meter.low, meter.high, meter.optimum] = [1 + (levels - 1) / 3, 1 + (2 * (levels - 1)) / 3, levels];
  const score = part("p", "score");
  score.append(part("b", "", quality.toFixed(2)), part("span", "", " of " + levels));
  const list = part("dl", "bars");
  list.append(...bars(probabilities.quality ?? {}).reverse());
  const said = [scene, distortion && distortion + " artifacts"].filter(Boolean).map(words).join(" with ");
  return [score, meter, part("p", "words", said), list];
};

const thumbnail = async (file) => {
  const image = await createImageBitmap(file).catch(() => null);
  if (image === null) return [];
  const canvas = document.createElement("canvas");
  const scale = Math.min(1, THUMBNAIL_SIDE / Math.max(image.width, image.height));
  [canvas.width, canvas.height] = [image.width, image.height].map((side) => Math.max(1, Math.round(side * scale)));
  canvas.getContext("2d").drawImage(image, 0, 0, canvas.width, canvas.height);
  image.close();
  const frame = part("div", "thumbnail");
  frame.append(canvas);
  return [frame];
};

const askFor = async (file, name) => {
  const token = element("token").value;
  const headers = token === "" ? {} : { authorization: "Bearer " + token };
  for (;;) {
    const answer = await fetch("score?name=" + encodeURIComponent(name), { method: "POST", headers, body: file });
    if (answer.status !== 503) return answer;
    await new Promise((resolve) => setTimeout(resolve, 1000 * Number(answer.headers.get("retry-after") ?? 1)));
  }
};

const score = async (file, card) => {
  const name = file.name || "picture";
  const answer = await askFor(file, name);
  const found = await answer.json();
  card.className = answer.ok ? "card scored" : "card failed";
  if (answer.status === 401) element("token-part").hidden = false;
  card.replaceChildren(...(await thumbnail(file)), part("p", "file", name), ...(answer.ok ? facts(found) : [part("p", "reason", found.error)]));
};

const next = async () => {
  const [job] = waiting.splice(0, 1);
  if (isBusy || job === undefined) return;
  isBusy = true;
  element("status").textContent = "Scoring " + (done + 1) + " of " + total;
  await score(...job).catch(() => {
    job[1].className = "card failed";
    job[1].replaceChildren(part("p", "file", job[0].name), part("p", "reason", "The server gave no answer; is it running?"));
  });
  done++;
  isBusy = false;
  if (waiting.length > 0) void next();
  else element("status").textContent = done + (done === 1 ? " picture." : " pictures.");
};

const add = (files) => {
  for (const file of files) {
    const card = part("li", "card waiting");
    card.append(part("p", "file", file.name), part("p", "quiet", "Waiting"));
    element("cards").append(card);
    element("gallery").hidden = false;
    waiting.push([file, card]);
    total++;
  }
  if (!isBusy) void next();
};

element("file").addEventListener("change", ({ target }) => {
  add([...target.files]);
  target.value = "";
});
for (const kind of ["dragenter", "dragover"]) {
  document.addEventListener(kind, (event) => {
    event.preventDefault();
    element("drop").classList.add("over");
  });
}
document.addEventListener("dragleave", () => element("drop").classList.remove("over"));
document.addEventListener("drop", (event) => {
  event.preventDefault();
  element("drop").classList.remove("over");
  add([...(event.dataTransfer?.files ?? [])]);
});
document.addEventListener("paste", (event) => add([...(event.clipboardData?.files ?? [])]));

const health = await (await fetch("health")).json();
element("engine").textContent = "Model: " + health.model + "; liqe-train " + health.version + ".";
`;

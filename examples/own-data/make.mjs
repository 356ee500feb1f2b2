// Makes `mine/` beside this file, or in the folder that is named: 64 pictures and scores.csv, as somebody's own database
// might lie. Eight photographs, each as it is, as JPEG of four qualities, and out of focus three times.
import { mkdirSync, readdirSync, writeFileSync } from "node:fs";
import { join, parse } from "node:path";
import { fileURLToPath } from "node:url";
import sharp from "sharp";

const PHOTOS = fileURLToPath(new URL("../photos", import.meta.url));
const folder = join(process.argv[2] ?? fileURLToPath(new URL(".", import.meta.url)), "mine");

/** Quality of the JPEG, blur in pixels (standard deviation), and a score from 1 to 5: invented, where yours are people's. */
const VERSIONS = [
  { name: "original", quality: 95, distortion: "", mos: 4.6 },
  { name: "jpeg-40", quality: 40, distortion: "jpeg compression", mos: 3.9 },
  { name: "jpeg-20", quality: 20, distortion: "jpeg compression", mos: 3.1 },
  { name: "jpeg-10", quality: 10, distortion: "jpeg compression", mos: 2.2 },
  { name: "jpeg-5", quality: 5, distortion: "jpeg compression", mos: 1.3 },
  { name: "blur-1", quality: 95, sigma: 1, distortion: "gaussian blur", mos: 3.7 },
  { name: "blur-2", quality: 95, sigma: 2, distortion: "gaussian blur", mos: 2.6 },
  { name: "blur-4", quality: 95, sigma: 4, distortion: "gaussian blur", mos: 1.6 },
];

mkdirSync(join(folder, "pictures"), { recursive: true });
const lines = ["image,mos,distortion,photograph"];
for (const photo of readdirSync(PHOTOS).filter((name) => name.endsWith(".jpg"))) {
  for (const { name, quality, sigma, distortion, mos } of VERSIONS) {
    const image = `pictures/${parse(photo).name}_${name}.jpg`;
    const picture = sharp(join(PHOTOS, photo));
    await (sigma === undefined ? picture : picture.blur(sigma)).jpeg({ quality }).toFile(join(folder, image));
    lines.push([image, mos, distortion, parse(photo).name].join(","));
  }
}
writeFileSync(join(folder, "scores.csv"), `${lines.join("\n")}\n`);
console.log(`${folder}: ${lines.length - 1} pictures and scores.csv`);

// Opens a report in a headless Chromium: `FILE`. Prints what is on the page, whether it is dark, the lowest contrast of its
// text, and by how much it is wider than a window, in each colour scheme and on paper.

import { pathToFileURL } from "node:url";
import { open } from "../e2e/browser.mjs";

const [file] = process.argv.slice(2);
const browser = await open();
await browser.visit(pathToFileURL(file).href);

const look = `(() => {
  const luminance = ([red, green, blue]) => {
    const linear = (value) => (value / 255 <= 0.03928 ? value / 255 / 12.92 : ((value / 255 + 0.055) / 1.055) ** 2.4);
    return 0.2126 * linear(red) + 0.7152 * linear(green) + 0.0722 * linear(blue);
  };
  const parts = (colour) => colour.match(/[\\d.]+/g).map(Number);
  const behind = (element) => {
    for (let at = element; at; at = at.parentElement) {
      const colour = parts(getComputedStyle(at).backgroundColor);
      if (colour.length === 3 || colour[3] > 0) return luminance(colour);
    }
    return 1;
  };
  let lowest = { contrast: 99 };
  const texts = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (texts.nextNode()) {
    const { parentElement: element, data } = texts.currentNode;
    if (!data.trim() || element.closest("title")) continue;
    const style = getComputedStyle(element);
    const ink = luminance(parts(element.closest("svg") ? style.fill : style.color));
    const paper = behind(element.closest("svg")?.parentElement ?? element);
    const contrast = (Math.max(ink, paper) + 0.05) / (Math.min(ink, paper) + 0.05);
    if (contrast < lowest.contrast) lowest = { contrast, text: data.trim().slice(0, 60) };
  }
  return { ...lowest, dark: behind(document.body) < 0.2 };
})()`;

const told = {};
for (const [name, scheme, media] of [["light", "light", "screen"], ["dark", "dark", "screen"], ["paper", "dark", "print"]]) {
  await browser.prefers(scheme, media);
  told[name] = await browser.evaluate(look);
}
await browser.prefers("light", "screen");
for (const [name, width] of [["wide", 1280], ["narrow", 390]]) {
  await browser.resize(width, 900);
  told[name] = await browser.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth");
}
told.title = await browser.evaluate("document.title");
told.scripts = await browser.evaluate("document.scripts.length");
told.images = await browser.evaluate("document.querySelectorAll('img, iframe, object, link, form').length");
told.fetched = await browser.evaluate("performance.getEntriesByType('resource').length");
console.log(JSON.stringify(told));
await browser.close();
process.exit();

// Logs in with a headless Chromium and works on with what the browser keeps: `GATE LIFETIME OTHER`, the address of the site,
// the seconds that an access token is good, and the address of another site. Prints what came of it, as JSON.

import { open } from "./browser.mjs";

const [gate, lifetime, other] = process.argv.slice(2);
const browser = await open();
const body = async () => JSON.parse(await browser.evaluate("document.body.innerText"));
const called = (init = "{}") =>
  browser.evaluate(`fetch("/orders", ${init}).then(async (answer) => [answer.status, await answer.text()])`);
const told = {};

await browser.visit(`${gate}/orders`);
await browser.leads(() =>
  browser.evaluate(`{
    document.querySelector("input[name=login]").value = "alice";
    document.querySelector("input[name=password]").value = "x";
    document.querySelector("form").submit();
  }`),
);
// Consent.
await browser.leads(() => browser.evaluate(`document.querySelector("form").submit()`));
told.first = await body();
told.script = await called();
await new Promise((resolve) => setTimeout(resolve, (Number(lifetime) + 1) * 1000));
told.later = await called();
told.address = await browser.evaluate("location.href");

// A page of another origin of the same site: the browser sends the cookies.
await browser.visit(other);
await browser.evaluate(
  `fetch("${gate}/from-another-page", { method: "POST", mode: "no-cors", credentials: "include" }).then(() => true)`,
);
// A link leads to the site without a new login.
await browser.leads(() => browser.evaluate(`{ location.href = "${gate}/orders"; }`));
told.link = await body();
console.log(JSON.stringify(told));
await browser.close();
process.exit();

// Walks through the console in Chromium: `node - URL FOLDER-FOR-PICTURES`, with an operator's token in the environment.
// Fails if anything is not where a person looks for it, if a page writes to its console, or if axe-core finds something.
const { chromium } = require("playwright-core");
const { readFileSync } = require("fs");
const { join } = require("path");

const [, , base, pictures] = process.argv;
const axe = readFileSync(require.resolve("axe-core/axe.min.js"), "utf8");
const quiet = ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-component-update",
  "--disable-sync", "--no-first-run", "--disable-quic"];

function must(holds, what) {
  if (!holds) throw new Error(what);
}

async function look(page, name) {
  await page.screenshot({ path: join(pictures, `${name}.png`), fullPage: true });
  // The policy keeps the inspector out too, but not one who asks through the debugger.
  await page.evaluate(axe).catch(() => {});
  const session = await page.context().newCDPSession(page);
  await session.send("Runtime.evaluate", { expression: axe });
  const { result } = await session.send("Runtime.evaluate", {
    expression: "axe.run().then(found => JSON.stringify(found.violations.map(v => [v.id, v.nodes.map(n => n.html)])))",
    awaitPromise: true,
  });
  must(result.value === "[]", `${name}: ${result.value}`);
}

async function walk(browser, colorScheme, scripts) {
  const context = await browser.newContext({ colorScheme, javaScriptEnabled: scripts, viewport: { width: 1280, height: 900 } });
  const page = await context.newPage();
  page.setDefaultTimeout(20_000);
  const complaints = [];
  page.on("console", (message) => { if (message.type() === "error") complaints.push(message.text()); });
  page.on("pageerror", (error) => complaints.push(String(error)));
  const see = async (name) => { if (scripts) await look(page, `${name}-${colorScheme}`); };

  await page.goto(`${base}/console/deliveries`);
  await see("login");
  await page.getByLabel("Your token").fill(process.env.MDES_RECEIVER_TEST_TOKEN);
  await page.getByRole("button", { name: "Log in" }).click();
  must(new URL(page.url()).pathname === "/console/deliveries", `the login leads back, not to ${page.url()}`);
  await see("deliveries");
  for (const name of ["Overview", "Commands", "Destinations", "Quarantine", "Reconcile", "Keys", "Audit", "Tokens"]) {
    await page.getByRole("link", { name, exact: true }).click();
    must(await page.getByRole("heading", { level: 1, name }).isVisible(), name);
    await see(name.toLowerCase());
  }
  await page.getByText("By what else you know").click();
  await page.getByLabel("Last digits").fill("4040");
  await page.getByRole("button", { name: "Show" }).click();
  await page.getByText("No token fits.").waitFor();
  await see("narrowed");
  await page.getByRole("link", { name: "All of them" }).click();
  await page.getByRole("searchbox").fill("DM4MMC0404");
  await page.keyboard.press("Enter");
  await page.getByText("No token has this reference.").waitFor();
  must(!page.url().includes("0404"), "what is looked for stands in no address");
  await see("not-found");
  await page.getByRole("searchbox").fill("DM4MMC0001");
  await page.keyboard.press("Enter");
  await page.waitForURL("**/console/tokens/mdes/DM4MMC0001");
  must(await page.getByText("Do not charge it until it is resumed.").isVisible(), "advice");
  await see("token");
  await page.getByRole("link", { name: "Destinations", exact: true }).click();
  await page.getByText("Pause", { exact: true }).first().click();
  await page.getByLabel("Why").fill("a walk in the park");
  await page.getByRole("button", { name: "Pause" }).click();
  must(await page.getByText("ana: a walk in the park").isVisible(), "the reason is shown");
  await page.getByRole("button", { name: "Resume" }).click();
  must(await page.getByText("It is resumed.").isVisible(), "it is said");
  await page.getByRole("button", { name: "Log out" }).click();
  await page.goto(`${base}/console`);
  must(await page.getByLabel("Your token").isVisible(), "logged out");
  must(complaints.length === 0, complaints.join("\n"));
  await context.close();
}

(async () => {
  const browser = await chromium.launch({ executablePath: process.env.MDES_RECEIVER_TEST_CHROMIUM || "/usr/bin/chromium", args: quiet });
  try {
    await walk(browser, "light", true);
    await walk(browser, "dark", true);
    await walk(browser, "light", false);
    console.log("walked");
  } finally {
    await browser.close();
  }
})().catch((error) => { console.error(error); process.exit(1); });

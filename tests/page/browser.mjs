// browser.mjs: the page in Chromium.
//
//     node browser.mjs URL MODULES CHROMIUM             each check: a line of JSON {name, error}
//     node browser.mjs URL MODULES CHROMIUM FILE WIDTH HEIGHT [dark]   draws a picture of a search
//
// MODULES is the folder that has playwright-core and axe-core. tests/page/browser.py starts it. Of a
// page without a server the variable RERANK_PAGE has what its checks need, as JSON.
import assert from "node:assert/strict";
import {once} from "node:events";
import {createServer} from "node:http";
import {createRequire} from "node:module";

const [url, modules, executablePath, file, width, height, scheme] = process.argv.slice(2);
const require = createRequire(`${modules}/`);
const {chromium} = require("playwright-core");
const axe = require("axe-core").source;
const QUERY = "super hero mystery action movie about bats";
const alone = process.env.RERANK_PAGE ? JSON.parse(process.env.RERANK_PAGE) : null;
const ENDLESS = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) " +
  "SELECT count(*) FROM n";

const browser = await chromium.launch({
  executablePath, args: ["--no-sandbox", "--host-resolver-rules=MAP evil.example 127.0.0.1"]});

async function open({viewport = {width: 1280, height: 900}, hash = "", ...options} = {}) {
  const context = await browser.newContext({viewport, ...options});
  const page = await context.newPage();
  page.setDefaultTimeout(30_000);
  page.said = [];
  page.on("console", (message) => page.said.push(message.text()));
  page.on("pageerror", (error) => page.said.push(String(error)));
  page.on("request", (request) => {
    if (!/^(data:|http:\/\/127\.0\.0\.1:)/.test(request.url())) page.said.push(request.url());
  });
  await page.goto(url + hash);
  await page.waitForFunction(() => document.getElementById("about").textContent !== "");
  return page;
}

async function search(page, query = QUERY) {
  await page.getByRole("searchbox").fill(query);
  await page.keyboard.press("Enter");
  await page.locator("#reranked .row").first().waitFor();
  await page.locator("#document h3").waitFor({state: "attached"});
}

const count = (page, selector) => page.locator(selector).count();
const text = (page, selector) => page.locator(selector).first().innerText();

/** Runs it, and waits for the end of that. */
async function run(page, sql) {
  await page.getByRole("textbox", {name: "SQL"}).fill(sql);
  await page.getByRole("button", {name: "Run"}).click();
  await page.locator("main:not(.stale), #wrong:not(:empty)").first().waitFor();
}

const shared = {
  async "a query that is typed gives two lists, movement and marks"(page) {
    await search(page);
    assert.equal(await count(page, "#retrieved .row"), 25);
    assert.equal(await count(page, "#reranked .row"), 25);
    assert.ok(await count(page, "#reranked .move.up") > 0);
    assert.ok(await count(page, "#moves path.up") > 0);
    assert.match(await text(page, "#said"), /^25 rows in \d+ ms; the reranker moved \d+ up$/);
    assert.ok(await count(page, "#reranked mark") > 0);
    assert.match(await text(page, "#file"), /films\.db/);
  },
  async "a row shows its evidence, its text and its vector"(page) {
    await search(page);
    const row = page.locator("#retrieved .row").nth(3);
    await row.click();
    const title = await row.locator(".title").innerText();
    await page.locator("#document h3", {hasText: title}).waitFor();
    assert.deepEqual(await page.locator("#document .scores dt").allInnerTexts(),
      ["words", "meaning", "reranker"]);
    assert.ok(await count(page, ".row.lit") === 2);
    await page.locator("#document dt", {hasText: "overview"}).waitFor();
    if (await has(page, "barcodes")) {
      await page.locator("#document img").nth(1).waitFor();
      const widths = await page.locator("#document img").evaluateAll(
        (images) => images.map((image) => image.naturalWidth));
      assert.ok(widths.every((width) => width > 0));
    }
  },
  async "a point of the map says its title, and shows its row"(page) {
    if (!await has(page, "map")) return;
    await search(page);
    assert.ok(await count(page, "#map .hit") > 0);
    const points = await page.evaluate(() => points.length);
    assert.equal(points, await count(page, "#map circle"));
    const {title, x, y} = await page.evaluate(() => {
      const point = points[0], box = $("map").getBoundingClientRect();
      return {title: pointed({clientX: box.left + (point.x / 2.12 + .5) * box.width,
        clientY: box.top + (point.y / 2.12 + .5) * box.height}).title,
      x: box.left + (point.x / 2.12 + .5) * box.width,
      y: box.top + (point.y / 2.12 + .5) * box.height};
    });
    await page.mouse.move(x, y);
    assert.equal(await text(page, "#map-title"), title);
    await page.mouse.click(x, y);
    await page.locator("#document h3", {hasText: title}).waitFor();
    assert.equal(await count(page, "#map .lit"), 1);
  },
  async "the SQL can be edited, and be as it was"(page) {
    await search(page);
    const sql = page.getByRole("textbox", {name: "SQL"});
    const before = await sql.inputValue();
    await sql.fill(before + " LIMIT 3");
    await page.getByRole("button", {name: "Run"}).click();
    await page.waitForFunction(() => document.querySelectorAll("#reranked .row").length === 3);
    await search(page, "a heist goes wrong");
    assert.equal(await count(page, "#reranked .row"), 3);
    await page.getByRole("button", {name: "As it was"}).click();
    await page.waitForFunction(() => document.querySelectorAll("#reranked .row").length === 25);
    assert.equal(await sql.inputValue(), before);
    await sql.fill("SELECT title, director FROM movies WHERE title LIKE 'The %' LIMIT 4");
    await sql.press("Control+Enter");
    await page.locator("#table tbody tr").nth(3).waitFor();
    assert.ok(await page.locator("#lists").isHidden());
  },
  async "what is wrong with the SQL is said"(page) {
    await run(page, "SELECT * FROM nowhere");
    await page.getByRole("alert").getByText("no such table: nowhere").waitFor();
    if (!alone) page.said.length = 0;  // the browser notes the status
  },
  async "the keyboard is enough"(page) {
    assert.equal(await focused(page), "query");
    await page.keyboard.type("bats in caves");
    await page.keyboard.press("Enter");
    await page.locator("#reranked .row").first().waitFor();
    for (let i = 0; i < 3; i++) await page.keyboard.press("ArrowDown");
    const title = await page.evaluate(
      () => document.activeElement.querySelector(".title").textContent);
    assert.equal(title, await page.locator("#reranked .row .title").nth(2).textContent());
    await page.keyboard.press("Enter");
    await page.locator("#document h3", {hasText: title}).waitFor();
    assert.equal(await focused(page), "document");
    await page.keyboard.press("Escape");
    assert.ok(await page.evaluate(() => document.activeElement.matches(".row.lit")));
    if (await has(page, "map")) {
      await page.locator("#map").focus();
      await page.keyboard.press("ArrowRight");
      const near = await text(page, "#map-title");
      await page.keyboard.press("Enter");
      await page.locator("#document h3", {hasText: near}).waitFor();
    }
    await page.keyboard.press("/");
    assert.equal(await focused(page), "query");
  },
  async "another index can be chosen, an address leads back to it"(page) {
    await page.getByRole("combobox").selectOption("directors");
    await search(page, "Nolan");
    assert.equal(await count(page, "#reranked .row"), 25);
    assert.equal(await count(page, "#document .scores dt"), 2);
    const again = await open({hash: new URL(page.url()).hash});
    await again.locator("#reranked .row").first().waitFor();
    assert.equal(await again.getByRole("combobox").inputValue(), "directors");
    assert.equal(await again.getByRole("searchbox").inputValue(), "Nolan");
    await again.context().close();
  },
  async "nothing found is said"(page) {
    await page.getByRole("searchbox").fill("\"bats from outer space\"");
    await page.keyboard.press("Enter");
    await page.locator("#said", {hasText: /^0 rows/}).waitFor();
    assert.ok(await page.locator("#lists").isHidden());
  },
  async "a phone needs no sideways scrolling"() {
    const page = await open({viewport: {width: 390, height: 844}, hasTouch: true, isMobile: true});
    await search(page);
    assert.equal(await page.evaluate(() => document.documentElement.scrollWidth), 390);
    assert.ok(await page.locator("#document").isHidden());
    await page.locator("#reranked .row").nth(1).tap();
    await page.locator("#document h3").waitFor();
    assert.ok((await page.locator("#document").boundingBox()).height <= 844 * .7 + 1);
    await page.locator("#close").tap();
    assert.ok(await page.locator("#document").isHidden());
    await page.getByRole("textbox", {name: "SQL"}).fill("SELECT * FROM movies");
    await page.getByRole("button", {name: "Run"}).tap();
    await page.locator("#table tbody tr").first().waitFor();
    assert.equal(await page.evaluate(() => document.documentElement.scrollWidth), 390);
    return page;
  },
  async "nothing stands in the way of anybody, in the dark neither"() {
    for (const colorScheme of ["light", "dark"]) {
      const page = await open({colorScheme});
      await search(page);
      assert.deepEqual(await broken(page), []);
      await page.getByRole("textbox", {name: "SQL"}).fill("SELECT * FROM movies LIMIT 3");
      await page.getByRole("button", {name: "Run"}).click();
      await page.locator("#table tbody tr").first().waitFor();
      assert.deepEqual(await broken(page), []);
      await page.context().close();
    }
  },
};

const served = {
  async "a write is refused and says so"(page) {
    await run(page, "DELETE FROM movies");
    await page.getByRole("alert").getByText("DELETE movies is refused: only reading").waitFor();
    page.said.length = 0;
  },
  async "a server that is gone is said"(page) {
    await page.route("**/sql", (route) => route.abort());
    await page.getByRole("searchbox").fill("bats");
    await page.keyboard.press("Enter");
    await page.getByRole("alert").getByText("Failed to fetch").waitFor();
    page.said.length = 0;
  },
  async "another name of this machine, and another site, get nothing"() {
    const page = await browser.newPage();
    const rebound = await page.goto(url.replace("127.0.0.1", "evil.example"));
    assert.equal(rebound.status(), 403);
    const other = createServer((_, response) => response.end("a page")).listen(0, "127.0.0.1");
    await once(other, "listening");
    await page.goto(`http://127.0.0.1:${other.address().port}/`);
    for (const mode of ["cors", "no-cors"]) {
      const got = await page.evaluate(([address, mode]) => fetch(address, {mode}).then(
        () => "an answer", () => "nothing"), [`${url}indexes`, mode]);
      assert.equal(got, "nothing");
    }
    await page.close();
    other.close();
  },
};

/** tests/browser: alone is {sql, expected, notes, words, saved, nothing, hostile, site}. */
const unserved = {
  async "rows and scores are those of the library of this machine"(page) {
    const rows = await page.evaluate(async ([sql, query]) =>
      (await ask(sql, {query}, {})).rows, [alone.sql, QUERY]);
    assert.equal(rows.length, alone.expected.length);
    rows.forEach(([title, relevance], i) => {
      assert.equal(title, alone.expected[i][0]);
      assert.ok(Math.abs(relevance - alone.expected[i][1]) < 1e-6, `${relevance}`);
    });
  },
  async "without a name the page has the movies"() {
    const page = await browser.newPage();
    await page.goto(new URL(".", url).href);
    await page.locator("#about", {hasText: /^[\d,]+ rows/}).waitFor();
    await search(page);
    assert.equal(await text(page, "#file"), "movies.db");
    await page.context().close();
  },
  async "a visitor's file gets an index, and is saved with it"(page) {
    await page.locator("input[type=file]").setInputFiles(alone.notes);
    await page.locator("#about", {hasText: "no index yet: Run makes one"}).waitFor();
    assert.equal(await text(page, "#file"), "notes.db");
    await page.getByRole("button", {name: "Run"}).click();
    await page.locator("#about", {hasText: "builtin:static"}).waitFor();
    await search(page, alone.words);
    assert.equal(await count(page, "#retrieved .row"), 25);
    const saving = page.waitForEvent("download");
    await page.getByRole("button", {name: "Save"}).click();
    await (await saving).saveAs(alone.saved);
    assert.equal((await saving).suggestedFilename(), "notes.db");
    await run(page, "DROP TABLE notes_index");
    await page.locator("#about", {hasText: "no index yet"}).waitFor();
    await search(page, alone.words);  // makes it
    assert.equal(await count(page, "#retrieved .row"), 25);
  },
  async "what is no database is said, and the one before stays"(page) {
    await page.locator("input[type=file]").setInputFiles(alone.nothing);
    await page.getByRole("alert").getByText("nothing.txt: file is not a database").waitFor();
    await search(page);
    assert.equal(await text(page, "#file"), "films.db");
  },
  async "long work is stopped, and what was committed stays"(page) {
    await run(page, "CREATE TABLE mine(x); INSERT INTO mine VALUES (5)");
    await page.getByRole("textbox", {name: "SQL"}).fill(`INSERT INTO mine VALUES (7); ${ENDLESS}`);
    await page.getByRole("button", {name: "Run"}).click();
    assert.ok(await page.getByRole("button", {name: "Stop"}).isHidden());
    await page.getByRole("button", {name: "Stop"}).click();
    await page.getByRole("alert").getByText("stopped").waitFor();
    await run(page, "SELECT sum(x) + 1 FROM mine");
    assert.equal(await text(page, "#table td"), "6");
    const asked = page.waitForEvent("dialog");
    page.on("dialog", (dialog) => dialog.accept());
    await page.reload();
    assert.equal((await asked).type(), "beforeunload");
  },
  async "what was asked behind long work is answered when that is stopped"(page) {
    await page.getByRole("textbox", {name: "SQL"}).fill(ENDLESS);
    await page.getByRole("button", {name: "Run"}).click();
    await page.getByRole("textbox", {name: "SQL"}).fill("SELECT 1");
    await page.getByRole("button", {name: "Run"}).click();
    await page.getByRole("textbox", {name: "SQL"}).fill("SELECT 2 AS two");
    await page.getByRole("button", {name: "Run"}).click();
    await page.getByRole("button", {name: "Stop"}).click();
    await page.locator("#table th", {hasText: "two"}).waitFor();
    assert.equal(await text(page, "#wrong"), "");
    assert.ok(await page.getByRole("button", {name: "Stop"}).isHidden());
  },
  async "texts and names of a visitor's file run nowhere"(page) {
    await page.locator("input[type=file]").setInputFiles(alone.hostile);
    await page.locator("#about", {hasText: "no index yet"}).waitFor();
    await page.getByRole("button", {name: "Run"}).click();
    await page.locator("#about", {hasText: "builtin:static"}).waitFor();
    await search(page, "bats");
    assert.match(await text(page, "#reranked .row"), /<img src=x onerror=.*<script>/);
    assert.equal(await count(page, "main img:not([src^='data:image/svg+xml,'])"), 0);
    assert.equal(await page.evaluate(() => window.ran), undefined);
  },
  async "a worker that cannot be loaded is said, however late the file comes"() {
    const page = await browser.newPage();
    await page.route("**/movies.db", async (route) => {
      await page.waitForTimeout(500);
      await route.continue();
    });
    await page.goto(new URL("broken/", url).href);
    await page.locator("#said", {hasText: "worker.mjs and what it imports cannot be"}).waitFor();
    await page.context().close();
  },
  async "a page that is a file says what it needs"() {
    const page = await browser.newPage();
    await page.goto(`file://${alone.site}/index.html`);
    await page.locator("#said", {hasText: "this page needs a web server"}).waitFor();
    await page.context().close();
  },
  async "a file that is not there is said"() {
    const page = await browser.newPage();
    await page.goto(url.replace("films.db", "nowhere.db"));
    await page.locator("#said", {hasText: "nowhere.db: 404"}).waitFor();
    await page.context().close();
  },
};
const checks = {...shared, ...alone ? unserved : served};

const has = (page, what) => page.evaluate((name) => Boolean(index[name]), what);
const focused = (page) => page.evaluate(() => document.activeElement.id);

/** What axe-core finds wrong: of WCAG 2 and its own best practices. */
async function broken(page) {
  await page.evaluate(axe);
  const {violations} = await page.evaluate(() => window.axe.run());
  return violations.map(({id, nodes}) => `${id}: ${nodes[0].html}`);
}

async function check() {
  for (const [name, test] of Object.entries(checks)) {
    let error = "";
    try {
      const page = test.length ? await open() : null;
      const used = await test(page) ?? page;
      assert.deepEqual(used?.said ?? [], []);
      await used?.context().close();
    } catch (caught) {
      error = caught.stack;
    }
    console.log(JSON.stringify({name, error}));
  }
}

async function draw() {
  const viewport = {width: Number(width), height: Number(height)};
  const isMobile = viewport.width < 500;
  const page = await open({viewport, colorScheme: scheme ?? "light", isMobile});
  await search(page);
  await page.locator("#document dt").first().waitFor({state: "attached"});
  await page.waitForTimeout(300);
  await page.evaluate(() => document.activeElement.blur());
  await page.screenshot({path: file});
}

await (file ? draw() : check());
await browser.close();

// Looks at pages of HTML in Chromium, as their readers do: axe-core's rules, a narrow window, large text, the keyboard
// alone, a screen reader's tree, scripts switched off, paper. node report_page.mjs CHROMIUM OUT FILE...: prints one JSON
// object for each file, and writes FILE's PDF to OUT.
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { basename, join } from 'node:path';
import { pathToFileURL } from 'node:url';
import puppeteer from 'puppeteer-core';

const [chromium, out, ...files] = process.argv.slice(2);
const axe = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');
const DESKTOP = { width: 1280, height: 900 };
const TABS_MAX = 50;

// WCAG 2.2, 1.4.12: what readers may set, and nothing may be lost by it.
const SPACING =
  '*{line-height:1.5!important;letter-spacing:.12em!important;word-spacing:.16em!important}p{margin-bottom:2em!important}';

async function open(browser, file, view, scripts = true) {
  const page = await browser.newPage();
  const requests = [], said = [];
  page.on('request', (request) => requests.push(request.url()));
  page.on('console', (message) => said.push(message.text()));
  page.on('pageerror', (error) => said.push(String(error)));
  await page.setJavaScriptEnabled(scripts);
  await page.setViewport(view);
  await page.goto(pathToFileURL(file));
  return { page, requests, said };
}

// What sticks out of the window to the right, and text that is cut off by its own box.
function lost() {
  const width = document.documentElement.clientWidth;
  const name = (e) => `${e.tagName.toLowerCase()} "${e.textContent.trim().slice(0, 40)}"`;
  const all = [...document.body.querySelectorAll('*')].filter((e) => e.getClientRects().length > 0);
  const found = all.filter((e) => e.getBoundingClientRect().right > width + 0.5).map((e) => `sticks out: ${name(e)}`);
  for (const e of all) {
    const style = getComputedStyle(e);
    if (style.overflowX !== 'visible' && e.scrollWidth > e.clientWidth + 1) {
      found.push(`cut off: ${name(e)}`);
    }
  }
  if (document.documentElement.scrollWidth > width) {
    found.push(`scrolls: ${document.documentElement.scrollWidth} of ${width} pixels`);
  }
  return found;
}

async function lostIn(browser, file, view, style = '') {
  const { page } = await open(browser, file, view);
  if (style) {
    await page.addStyleTag({ content: style });
  }
  const found = await page.evaluate(lost);
  await page.close();
  return found;
}

async function rules(page) {
  await page.evaluate(axe);
  return page.evaluate(async () => {
    const { violations, incomplete } = await window.axe.run(document, {
      runOnly: ['wcag2a', 'wcag2aa', 'wcag2aaa', 'wcag21a', 'wcag21aa', 'wcag22aa', 'best-practice'],
      rules: { 'color-contrast-enhanced': { enabled: true } },
    });
    const text = (kind) => (rule) =>
      `${kind} ${rule.id}: ${rule.help}: ${rule.nodes.slice(0, 3).map((n) => n.html.slice(0, 120)).join(' | ')}`;
    return [...violations.map(text('violates')), ...incomplete.map(text('cannot tell'))];
  });
}

// What a screen reader is given: roles and names, in its order.
async function tree(page) {
  const session = await page.createCDPSession();
  const { nodes } = await session.send('Accessibility.getFullAXTree');
  const byId = new Map(nodes.map((n) => [n.nodeId, n]));
  const read = [];
  const walk = (node) => {
    if (!node.ignored) {
      read.push({ role: node.role?.value ?? '', name: node.name?.value ?? '' });
    }
    for (const child of node.childIds ?? []) {
      walk(byId.get(child));
    }
  };
  walk(nodes[0]);
  const of = (role) => read.filter((n) => n.role === role).map((n) => n.name);
  return {
    headings: of('heading'),
    tables: of('table'),
    columns: of('columnheader'),
    rows: of('rowheader'),
    text: of('StaticText').join(' ').replace(/\s+/g, ' '),
  };
}

// Every stop of the tabulator: where it is, whether it can be seen to be there, and where Enter leads from it.
async function keyboard(page) {
  const stops = [];
  for (let i = 0; i < TABS_MAX; i++) {
    await page.keyboard.press('Tab');
    const stop = await page.evaluate(() => {
      const e = document.activeElement;
      return e === document.body
        ? null
        : { text: e.textContent, outlined: getComputedStyle(e).outlineStyle !== 'none', href: e.getAttribute('href') };
    });
    if (!stop) {
      break;
    }
    stops.push(stop);
  }
  for (const stop of stops) {
    await page.focus(`a[href="${stop.href}"]`);
    await page.keyboard.press('Enter');
    stop.leads = await page.evaluate(async (id) => {
      await new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)));
      const box = document.getElementById(id)?.getBoundingClientRect();
      return box !== undefined && box.top < innerHeight && box.bottom > 0 ? document.getElementById(id).innerText : null;
    }, stop.href.slice(1));
  }
  await page.keyboard.press('End');
  const end = await page.evaluate(async () => {
    await new Promise((done) => setTimeout(done, 300));
    return Math.ceil(scrollY + innerHeight) >= document.documentElement.scrollHeight - 1;
  });
  return { stops, end };
}

async function look(browser, file) {
  const { page, requests, said } = await open(browser, file, DESKTOP);
  const found = {
    file: basename(file),
    lang: await page.evaluate(() => document.documentElement.lang),
    title: await page.title(),
    text: await page.evaluate(() => document.body.innerText),
    axe: await rules(page),
    tree: await tree(page),
    keyboard: await keyboard(page),
    phone: await lostIn(browser, file, { width: 320, height: 640, deviceScaleFactor: 2, isMobile: true, hasTouch: true }),
    zoomed: await lostIn(browser, file, { width: 640, height: 450, deviceScaleFactor: 2 }),
    largeText: await lostIn(browser, file, DESKTOP, 'html{font-size:200%}'),
    spaced: await lostIn(browser, file, { width: 320, height: 640 }, SPACING),
  };
  await page.pdf({ path: join(out, `${basename(file, '.html')}.pdf`), format: 'a4' });
  const off = await open(browser, file, DESKTOP, false);
  found.textWithoutScripts = await off.page.evaluate(() => document.body.innerText);
  found.requests = [...requests, ...off.requests].filter((url) => url !== String(pathToFileURL(file)));
  found.said = [...said, ...off.said];
  await off.page.close();
  await page.close();
  return found;
}

const browser = await puppeteer.launch({
  executablePath: chromium,
  // Root has no sandbox; nothing is looked up or reached, whatever a page asks for.
  args: ['--no-sandbox', '--disable-gpu', '--disable-dev-shm-usage', '--host-resolver-rules=MAP * ~NOTFOUND'],
});
try {
  for (const file of files) {
    console.log(JSON.stringify(await look(browser, file)));
  }
} finally {
  await browser.close();
}

"use strict";
// The page of pytest-vmpilot-cov. Its data comes as scripts, because a page opened from a disk may load nothing else.
// All text of others is put in as text (`el`), never as markup.

const CHUNK = 100, PLAIN_ROWS = 1500, MOST_LISTED = 100, LETTERS = {unit: "U", e2e: "E", pipeline: "P"};
const $ = (id) => document.getElementById(id);
let all = null;                 // what data/index.js brought
let off = 0;                    // origins taken away, as a mask
let open = null;                // the file that is shown: {number, line, body}
let rows = [];                  // the files as they are listed, for the next and the previous one
const folded = new Set(), waiting = new Map(), bodies = new Map();

function el(tag, attributes = {}, ...children) {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (name.startsWith("on")) node.addEventListener(name.slice(2), value);
    else if (name === "width") node.style.width = value;
    else if (name === "left") node.style.left = value;
    else if (value === true) node.setAttribute(name, "");
    else if (value !== false && value !== null) node.setAttribute(name, value);
  }
  node.append(...children.filter((child) => child !== null));
  return node;
}

// ---- figures: the same sums as judge/figures.py, for the origins that are left ----

const on = () => ((1 << all.origins.length) - 1) & ~off;

function figures(files) {       // files: rows of data/index.js
  const now = on(), sum = {statements: 0, branches: 0, missing: 0, missingBranches: 0, several: 0, alone: all.origins.map(() => 0)};
  for (const [, statements, branches, lines, arcs] of files) {
    sum.statements += statements;
    sum.branches += branches;
    if (!now) sum.missingBranches += branches;
    for (let mask = 0; mask < 8; mask++) {
      const by = mask & now;
      if (!by) { sum.missing += lines[mask]; if (now) sum.missingBranches += arcs[mask]; }
      else if (by & (by - 1)) sum.several += lines[mask];
      else sum.alone[Math.log2(by)] += lines[mask];
    }
  }
  sum.gain = sum.missing + sum.missingBranches;
  const there = sum.statements + sum.branches;
  sum.percent = there ? 100 * (there - sum.gain) / there : 100;
  return sum;
}

function ofOrigin(place) {      // the row of one origin by itself, and what it alone reached among those that are left
  const before = off;
  off = ~(1 << place);
  const row = figures(all.files);
  off = before;
  row.only = before & (1 << place) ? 0 : figures(all.files).alone[place];
  row.files = all.files.filter((file) => file[3].some((number, mask) => number && mask & (1 << place))).length;
  return row;
}

function percent(value, digits = all.digits) {  // as coverage.py shows it: nothing is rounded up to 100 or down to 0
  const least = 1 / 10 ** digits, scaled = value * 10 ** digits;
  if (value > 0 && value < least) value = least;
  else if (value < 100 && value > 100 - least) value = 100 - least;
  else if (Number.isInteger(value * 2 ** (digits + 1)) && scaled % 1 === 0.5)  // halves go to the even digit
    value = 2 * Math.round(scaled / 2) / 10 ** digits;
  return `${value.toFixed(digits)}%`;
}

// ---- bars ----

const names = () => [...all.origins.map((origin) => `${origin} only`), "several", "nobody"];
const kinds = () => [...all.origins, "several", "nobody"];
const parts = (sum) => [...sum.alone, sum.several, sum.missing];

function stacked(sum) {
  const said = parts(sum).map((number, place) => number ? `${names()[place]} ${number}` : "").filter(Boolean).join(", ");
  const bar = el("span", {class: "bar", role: "img", "aria-label": said || "no statements", title: said});
  parts(sum).forEach((number, place) => {
    if (number) bar.append(el("span", {class: kinds()[place], width: `${100 * number / sum.statements}%`}));
  });
  return bar;
}

function thresholdOf(name) {
  const check = all.verdict.checks.find((each) => each.name === name && each.required !== null);
  return check ? check.required : null;
}

function originBar(origin, sum) {
  const reached = sum.statements - sum.missing, share = (number) => `${sum.statements ? 100 * number / sum.statements : 0}%`;
  const required = thresholdOf(origin === "combined" ? "total" : origin);
  const said = `${reached} of ${sum.statements} statements reached` + (origin === "combined" ? "" : `, ${sum.only} only here`) + (required === null ? "" : `; required are ${required}%`);
  const bar = el("span", {class: "bar", role: "img", "aria-label": said, title: said});
  if (origin === "combined") bar.append(el("span", {class: "shared all", width: share(reached)}));
  else bar.append(el("span", {class: `shared ${origin}`, width: share(reached - sum.only)}), el("span", {class: origin, width: share(sum.only)}));
  if (required !== null) bar.append(el("span", {class: "mark", left: `${required}%`}));
  return bar;
}

const badge = (origin) => el("span", {class: `badge ${origin}`, "aria-hidden": "true"}, LETTERS[origin]);

function box(origin, place) {   // takes an origin away; every place that has one is drawn anew
  return el("label", {}, el("input", {type: "checkbox", class: "origin-box", value: origin, checked: !(off & (1 << place)), onchange: (event) => {
    off = event.target.checked ? off & ~(1 << place) : off | (1 << place);
    keep();
    drawOverview();
    if (open) drawFile();
    const again = document.querySelector(`main:not([hidden]) .origin-box[value=${origin}]`);
    if (again) again.focus();
  }}), " ", badge(origin), origin);
}

// ---- overview ----

function drawOverview() {
  drawVerdict();
  drawOrigins();
  drawFiles();
}

function drawVerdict() {
  const {verdict} = all, without = all.origins.filter((_, place) => off & (1 << place));
  const judged = verdict.checks.length > 0, word = judged ? (verdict.passed ? "✓ passed" : "✗ failed") : "no threshold";
  const place = $("verdict"), left = off;
  off = 0;
  const total = figures(all.files);
  off = left;
  place.className = judged ? (verdict.passed ? "good" : "bad") : "";
  place.replaceChildren(el("p", {class: "total"}, el("span", {class: "word"}, word), ` ${verdict.measured ? percent(total.percent) : "nothing was measured"}`,
    without.length ? el("small", {}, ` · without ${without.join(" and ")}: ${percent(figures(all.files).percent)}`) : null));
  const list = el("ul");
  for (const check of verdict.checks) {
    list.append(el("li", {}, `${check.passed ? "✓" : "✗"} ${check.text || `${check.name}: yes`}`, check.details.length ? el("div", {class: "details"}, check.details.join("\n")) : null));
  }
  if (verdict.not_enforced) list.append(el("li", {}, verdict.not_enforced));
  place.append(list);
  if (without.length) place.append(el("p", {class: "quiet"}, "The verdict is that of all origins together."));
  if (all.change) place.append(el("p", {class: "change"}, all.change, ". ", el("a", {href: "#show=changed"}, "Show it")));
  if (all.warnings.length) place.append(el("details", {open: true}, el("summary", {}, `⚠ ${all.warnings.length} ${all.warnings.length === 1 ? "warning" : "warnings"}`), el("ul", {}, ...all.warnings.map((text) => el("li", {}, text)))));
}

function head(table, ...titles) {
  table.querySelector("thead").replaceChildren(el("tr", {}, ...titles.map(([title, kind]) => el("th", {scope: "col", class: kind || null}, title))));
}

function drawOrigins() {
  const hasBranches = all.files.some((file) => file[2]), body = [];
  head($("origins"), ["Origin"], ["Statements reached; only here in full color", "wide"], ["Cover", "n"], ["Reached", "n"], ["Only here", "n"], ["Statements", "n"], ...(hasBranches ? [["Branches taken", "n"]] : []), ["Files", "n"]);
  const cells = (origin, sum, files) => [
    el("td", {}, originBar(origin, sum)), el("td", {class: "n cover"}, percent(sum.percent)), el("td", {class: "n"}, `${sum.statements - sum.missing}`),
    el("td", {class: "n"}, origin === "combined" ? "" : `${sum.only}`), el("td", {class: "n"}, `${sum.statements}`),
    ...(hasBranches ? [el("td", {class: "n"}, `${sum.branches - sum.missingBranches} of ${sum.branches}`)] : []), el("td", {class: "n"}, `${files}`)];
  all.origins.forEach((origin, place) => {
    const sum = ofOrigin(place);
    body.push(el("tr", {class: off & (1 << place) ? "off" : null, "data-origin": origin}, el("th", {scope: "row"}, box(origin, place)), ...cells(origin, sum, sum.files)));
  });
  const sum = figures(all.files), reached = all.files.filter((file) => file[3].some((number, mask) => number && mask & on())).length;
  body.push(el("tr", {class: "combined", "data-origin": "combined"}, el("th", {scope: "row"}, "combined"), ...cells("combined", sum, reached)));
  $("origins").querySelector("tbody").replaceChildren(...body);
  $("sets").replaceChildren(stacked(sum), el("ul", {class: "legend"}, ...parts(sum).map((number, place) =>
    el("li", {}, el("span", {class: `swatch ${kinds()[place]}`}), `${names()[place]}: ${number}`))));
}

const isOfChange = () => $("show").value === "changed";
const ofChange = ([name, , , , , lines]) => [name, lines.reduce((a, b) => a + b), 0, lines, Array(8).fill(0)];

const FILTERS = {
  nobody: (sum) => sum.missing > 0,
  pipeline: (sum) => sum.alone[all.origins.indexOf("pipeline")] > 0,
  server: (sum) => sum.alone[all.origins.indexOf("pipeline")] > 0 && sum.missing + sum.alone[all.origins.indexOf("pipeline")] === sum.statements,
  changed: (sum) => sum.statements > 0,
};
const SORTS = {
  gain: (a, b) => b.sum.gain - a.sum.gain || a.name.localeCompare(b.name),
  name: (a, b) => a.name.localeCompare(b.name),
  cover: (a, b) => a.sum.percent - b.sum.percent || b.sum.gain - a.sum.gain,
  statements: (a, b) => b.sum.statements - a.sum.statements,
};

function drawFiles() {
  const words = $("find").value.toLowerCase().split(/\s+/).filter(Boolean), filter = FILTERS[$("show").value], sort = SORTS[$("sort").value];
  const chosen = [];
  all.files.forEach((file, number) => {
    const shown = isOfChange() ? ofChange(file) : file, sum = figures([shown]), name = file[0];
    if (words.every((word) => name.toLowerCase().includes(word)) && (!filter || filter(sum, file))) chosen.push({name, sum, number, file: shown});
  });
  chosen.sort(sort);
  const lines = $("folders").checked ? inFolders(chosen, sort) : chosen.map((each) => ({...each, title: each.name}));
  rows = lines.filter((each) => each.number !== undefined).map((each) => each.number);
  head($("files"), ["File"], ["Who reached it", "wide"], ["Cover", "n"], ["Missing", "n"], [isOfChange() ? "Changed statements" : "Statements", "n"]);
  const shown = lines.filter((each) => !(each.folder !== undefined && each.number !== undefined && folded.has(each.folder)));
  $("files").querySelector("tbody").replaceChildren(...shown.slice(0, PLAIN_ROWS).map(fileRow));
  if (shown.length > PLAIN_ROWS) {
    $("files").querySelector("tbody").append(el("tr", {}, el("td", {colspan: "5"}, el("button", {type: "button", onclick: (event) => {
      event.target.closest("tr").replaceWith(...shown.slice(PLAIN_ROWS).map(fileRow));
    }}, `Show ${shown.length - PLAIN_ROWS} more`))));
  }
  $("shown").textContent = chosen.length === all.files.length ? `${chosen.length}` : `${chosen.length} of ${all.files.length}`;
}

function inFolders(chosen, sort) {
  const folders = new Map();
  for (const each of chosen) {
    const folder = each.name.slice(0, each.name.lastIndexOf("/") + 1);
    if (!folders.has(folder)) folders.set(folder, []);
    folders.get(folder).push(each);
  }
  const heads = [...folders].map(([folder, files]) => ({folder, name: folder, title: folder || "./", files, sum: figures(files.map((each) => each.file))}));
  return heads.sort(sort).flatMap((each) => [each, ...each.files.map((file) => ({...file, folder: each.folder, title: file.name.slice(each.folder.length)}))]);
}

function fileRow({title, name, sum, number, folder, files}) {
  const isFolder = number === undefined;
  const first = isFolder
    ? el("button", {type: "button", "aria-expanded": String(!folded.has(folder)), onclick: () => { toggle(folder); }}, `${folded.has(folder) ? "▸" : "▾"} ${title} (${files.length})`)
    : el("a", {href: linkTo(name)}, title);
  return el("tr", {class: isFolder ? "folder" : folder === undefined ? null : "in"}, el("td", {}, first), el("td", {}, stacked(sum)),
    el("td", {class: "n"}, percent(sum.percent)), el("td", {class: "n"}, `${sum.gain}`), el("td", {class: "n"}, `${sum.statements}`));
}

function toggle(folder) {
  if (!folded.delete(folder)) folded.add(folder);
  drawFiles();
  const again = [...$("files").querySelectorAll("tr.folder button")].find((each) => each.textContent.slice(2).startsWith(`${folder || "./"} (`));
  if (again) again.focus();
}

// ---- processes, and what does not count ----

const moment = (seconds) => seconds ? new Date(1000 * seconds).toLocaleString() : "";

function age(seconds) {
  const s = Math.max(0, all.made - seconds);
  return s < 60 ? `${s.toFixed(1)} s` : s < 3600 ? `${(s / 60).toFixed(0)} min` : s < 86400 ? `${(s / 3600).toFixed(0)} h` : `${(s / 86400).toFixed(0)} days`;
}

const STATES = {
  own: () => "made this page", delivered: () => "live; delivered when asked", live: () => "live; was not asked", silent: () => "live; did not deliver",
  elsewhere: (each) => `on ${each.host || "another host"}; cannot be asked`,
  ended: (each) => each.ended > 1 ? `ended ${moment(each.ended)}` : "ended", killed: (each) => `killed; last sign of life ${moment(each.seen)}`,
};

function table(title, heads, lines) {
  return el("table", {}, el("caption", {}, `${title} (${lines.length})`), el("thead", {}, el("tr", {}, ...heads.map((each) => el("th", {scope: "col"}, each)))),
    el("tbody", {}, ...lines.map((line) => el("tr", {}, ...line.map((each) => el("td", {}, each))))));
}

function processLine(each) {
  const newest = each.newest ? `last segment ${age(each.newest)} before this page` : "no segment";
  return [el("span", {}, LETTERS[each.origin] ? badge(each.origin) : "", each.origin), each.folded > 1 ? `${each.folded} processes` : `${each.pid}`, el("span", {class: "cmd"}, each.command),
    moment(each.began), STATES[each.state](each), [each.executed ? newest : "nothing of this project", each.lines ? `${each.lines} lines or arcs measured` : "", each.problem].filter(Boolean).join("; "), each.may_miss];
}

function drawRest() {
  const place = $("rest");
  place.replaceChildren(el("h2", {}, "Processes and data"), ...all.notes.map((text) => el("p", {class: "quiet"}, text)));
  if (all.processes.length) place.append(table("Processes", ["Origin", "Pid", "Command", "Began", "State", "Delivered", "What may be missing"], all.processes.map(processLine)));
  if (all.data_files.length) place.append(table("Data files", ["Path", "Written", "Source verified"], all.data_files.map((each) => [each.path, `${age(each.written)} before this page`, each.ours ? "yes" : "no: it does not say which source it measured"])));
  if (all.left_out.length) place.append(table("Stale, foreign and unverified files", ["File", "Reason"], all.left_out));
  if (all.mapped.length) place.append(table("Mapped files", ["File", "Measured as", "Matched by"], all.mapped));
}

// ---- one file ----

function load(number) {
  if (bodies.has(number)) return Promise.resolve(bodies.get(number));
  return new Promise((resolve, reject) => {
    waiting.set(number, resolve);
    document.head.append(el("script", {src: `data/${number}.js${all.live ? `?${Date.now()}` : ""}`, onerror: () => reject(new Error(`data/${number}.js is missing`))}));
  });
}

async function showFile(number, line) {
  const asked = location.hash;
  let body;
  try { body = await load(number); } catch (error) { $("made").textContent = error.message; return; }
  if (location.hash !== asked) return;  // the reader has gone on meanwhile
  const isNew = !open || open.number !== number;
  open = {number, line, body};
  $("overview").hidden = true;
  $("file").hidden = false;
  if (isNew) { drawCode(); scrollTo(0, 0); }
  drawFile();
  if (line) choose(line, !isNew);
  else { $("line").replaceChildren(el("p", {class: "quiet"}, "Click a line to see who reached it.")); if (isNew) $("name").focus({preventScroll: true}); }
}

const row = el("div", {class: "ln"}, el("a", {class: "no", tabindex: "-1"}), el("span", {class: "who", "aria-hidden": "true"}),
  el("span", {class: "tick", "aria-hidden": "true"}), el("code"));

function drawCode() {           // all of the text at once, for the browser's search; the rest where somebody looks
  const {body} = open, chunks = [];
  open.words = wordsOf(body);
  for (let first = 0; first < body.code.length; first += CHUNK) {
    const chunk = el("div", {class: "chunk"}), count = Math.min(CHUNK, body.code.length - first);
    chunk.style.containIntrinsicSize = `auto ${20 * count}px`;
    for (let place = first; place < first + count; place++) {
      const line = row.cloneNode(true);
      line.id = `L${place + 1}`;
      line.firstChild.textContent = place + 1;
      line.lastChild.textContent = body.code[place];
      chunk.append(line);
    }
    chunks.push(chunk);
  }
  painter.disconnect();
  $("code").replaceChildren(...chunks);
  chunks.forEach((chunk) => painter.observe(chunk));
}

const painter = new IntersectionObserver((seen) => {
  for (const {isIntersecting, target} of seen) if (isIntersecting) paint(target);
}, {rootMargin: "1500px"});

function paint(chunk) {
  if (!open || !chunk.isConnected || chunk.dataset.painted) return;  // the reader may have gone on
  painter.unobserve(chunk);
  chunk.dataset.painted = "yes";
  for (const line of chunk.children) color(line);
  mark(chunk);
}

function color(line) {
  const place = Number(line.id.slice(1)) - 1, text = open.body.code[place], words = open.words[place], nodes = [];
  let end = 0;
  for (const [from, to, kind] of words) {
    nodes.push(text.slice(end, from), el("span", {class: kind}, text.slice(from, to)));
    end = to;
  }
  line.lastChild.replaceChildren(...nodes, text.slice(end));
}

const KEYWORDS = new Set("False None True and as assert async await break class continue def del elif else except finally for from global if import in is lambda nonlocal not or pass raise return try while with yield".split(" "));
const WORD = /(#[^\n]*)|([bBfFrRtTuU]{0,2}("""|'''|"|'))|(\b\d[\w.]*)|([\p{L}_][\p{L}\p{N}_]*)|([^\s\p{L}\p{N}_]+?)/gu;

function wordsOf({name, code}) {  // the words of each line that have a color: begin, end, kind
  const lines = code.map(() => []), text = code.join("\n");
  if (!/\.py[iw]?$|(^|\/)[^./]+$/.test(name.replace(/ \(\d+\)$/, ""))) return lines;
  let line = 0, start = 0;
  const add = (from, to, kind) => {
    while (from < to) {
      while (from > start + code[line].length) { start += code[line].length + 1; line++; }
      const end = Math.min(to, start + code[line].length);
      if (end > from) lines[line].push([from - start, end - start, kind]);
      from = end + 1;
    }
  };
  WORD.lastIndex = 0;
  for (let found; (found = WORD.exec(text));) {
    const [word, comment, opening, quotes, number, name, sign] = found;
    if (opening) {
      let end = WORD.lastIndex;  // one character after the other: a pattern would pile up its way back in a long text
      while (end < text.length && !text.startsWith(quotes, end) && !(quotes.length === 1 && text[end] === "\n")) end += text[end] === "\\" ? 2 : 1;
      WORD.lastIndex = Math.min(text.length, end + (text[end] === "\n" ? 0 : quotes.length));
      add(found.index, WORD.lastIndex, "k2");
    } else if (name ? KEYWORDS.has(name) : true) add(found.index, found.index + word.length, comment ? "k4" : number ? "k3" : sign ? "k5" : "k1");
  }
  return lines;
}

function mark(chunk) {          // who reached each line, for the origins that are left
  const {body, partial, changed} = open;
  for (const line of chunk.children) {
    const at = Number(line.id.slice(1)), state = stateOf(body, at, partial), mask = Number(body.lines[at - 1]) & on();
    line.className = `ln ${state}${changed.has(at) ? " changed" : ""}${open.line === at ? " pick" : ""}`;
    const [link, who, tick] = line.children;
    who.replaceChildren(...(state === "hit" || state === "part" ? all.origins.map((origin, bit) => mask & (1 << bit) ? el("i", {class: origin}, LETTERS[origin]) : el("i")) : []));
    tick.textContent = state === "miss" ? "✗" : state === "part" ? "½" : "";
    link.setAttribute("aria-label", `Line ${at}${described(state, mask)}`);
    link.href = linkTo(body.name, at);
  }
}

function untaken(body, number) {
  return on() ? body.branches.filter(([line, , mask]) => line === number && !(mask & on())) : [];
}

function stateOf(body, number, partial) {
  const mark = body.lines[number - 1];
  if (mark === "x") return "skipped";
  if (mark === " " || mark === undefined) return "";
  return !(Number(mark) & on()) ? "miss" : partial.has(number) ? "part" : "hit";
}

const partials = (body) => new Set(on() ? body.branches.filter(([, , mask]) => !(mask & on())).map(([line]) => line) : []);

function drawFile() {
  const {number, body} = open, sum = figures([all.files[number]]);
  open.partial = partials(body);
  open.changed = new Set(body.changed || []);
  document.title = `${body.name} · ${all.project}`;
  $("name").textContent = body.name;
  $("about").textContent = `${percent(sum.percent)} of ${sum.statements} statements` + (sum.branches ? ` and ${sum.branches} branches` : "") + `; ${sum.missing} ${sum.missing === 1 ? "statement" : "statements"} missing`
    + (sum.branches ? `, ${sum.missingBranches} branches` : "") + `. ` + names().slice(0, -1).map((name, place) => `${name} ${parts(sum)[place]}`).join(", ") + ".";
  $("boxes").replaceChildren(...all.origins.map(box));
  const place = rows.indexOf(number);
  for (const [id, other] of [["previous", rows[place - 1]], ["next", rows[place + 1]]]) {
    $(id).hidden = other === undefined;
    if (other !== undefined) $(id).href = linkTo(all.files[other][0]);
  }
  $("back").href = `#${rest()}`;
  for (const chunk of $("code").querySelectorAll("[data-painted]")) mark(chunk);
}

function described(state, mask) {
  const by = all.origins.filter((_, bit) => mask & (1 << bit)).join(", ");
  return {miss: ", missing", part: `, reached by ${by}, a branch is missing`, hit: `, reached by ${by}`, skipped: ", excluded"}[state] || "";
}

function has(bitmap, line) {    // a bitmap in hexadecimal: bit n is line n
  const digit = bitmap[bitmap.length - 1 - (line >> 2)];
  return digit !== undefined && (parseInt(digit, 16) >> (line & 3) & 1) === 1;
}

const those = (groups, line) => groups.filter(([bitmap]) => has(bitmap, line)).flatMap(([, places]) => places).sort((a, b) => a - b);

function choose(line, keepsPlace = false) {
  const node = $(`L${line}`);
  if (!node) return;
  for (const each of $("code").querySelectorAll(".pick, .no[tabindex='0']")) { each.classList.remove("pick"); if (each.tabIndex === 0) each.tabIndex = -1; }
  open.line = line;
  paint(node.parentNode);
  node.classList.add("pick");
  node.firstChild.tabIndex = 0;
  node.scrollIntoView({block: keepsPlace ? "nearest" : "center"});
  if (!keepsPlace || $("code").contains(document.activeElement)) node.firstChild.focus({preventScroll: true});
  drawLine();
}

function drawLine() {
  const {body, line} = open, state = stateOf(body, line, open.partial), mask = Number(body.lines[line - 1]) || 0;
  const list = (items) => el("ul", {}, ...items.slice(0, MOST_LISTED).map((each) => el("li", {}, each)), items.length > MOST_LISTED ? el("li", {}, `and ${items.length - MOST_LISTED} more`) : null);
  const panel = [el("h3", {}, `Line ${line}`)];
  if (state === "") panel.push(el("p", {}, "No statement begins in this line."));
  else if (state === "skipped") panel.push(el("p", {}, "Excluded: nobody has to reach it."));
  else {
    if (state === "miss") panel.push(el("p", {}, mask ? "Nobody else reached it." : "Nobody reached it."));
    panel.push(el("h3", {}, "Origins"), el("ul", {class: "by-origin"}, ...all.origins.map((origin, bit) => el("li", {}, badge(origin), `${origin}: ${mask & (1 << bit) ? "reached it" : "did not"}`))));
    const arcs = body.branches.filter(([from]) => from === line);
    if (arcs.length) panel.push(el("h3", {}, "Branches that someone did not take"), list(arcs.map(([, to, by]) =>
      `${to > 0 ? `to line ${to}` : "to the exit"}: ${by ? `taken by ${all.origins.filter((_, bit) => by & (1 << bit)).join(", ")}` : "taken by nobody"}${untaken(body, line).some(([, other]) => other === to) && by ? " only" : ""}`)));
    if (all.tests.length) { const tests = those(body.tests, line).map((place) => all.tests[place]); panel.push(el("h3", {}, `Tests (${tests.length})`), list(tests.map(([origin, name]) => el("span", {}, badge(origin), name)))); }
    else if (mask & 3) panel.push(el("p", {class: "quiet"}, "Which tests is not recorded; --cov-context=test records it."));
    const processes = those(body.processes, line).map((place) => all.processes[place]).filter(Boolean);
    if (processes.length) panel.push(el("h3", {}, `Processes (${processes.length})`), list(processes.map((each) => el("span", {}, badge(each.origin), each.folded > 1 ? `${each.folded} processes ` : `pid ${each.pid} `, el("span", {class: "cmd"}, each.command)))));
  }
  $("line").replaceChildren(...panel);
}

function step(direction) {      // to the next or the previous line that is missing, or has a branch that is
  const {body, partial} = open;
  for (let line = (open.line || (direction > 0 ? 0 : body.code.length + 1)) + direction; line >= 1 && line <= body.code.length; line += direction) {
    if (["miss", "part"].includes(stateOf(body, line, partial))) { location.hash = linkTo(body.name, line).slice(1); return; }
  }
}

// ---- addresses ----

function rest() {               // what is kept in every address: origins taken away, filters
  const kept = new URLSearchParams();
  const without = all.origins.filter((_, place) => off & (1 << place));
  if (without.length) kept.set("without", without.join(","));
  if ($("show").value) kept.set("show", $("show").value);
  if ($("find").value) kept.set("find", $("find").value);
  return kept.toString();
}

function linkTo(name, line) {
  const kept = rest();
  return `#file=${encodeURIComponent(name)}${line ? `&line=${line}` : ""}${kept ? `&${kept}` : ""}`;
}

function keep() {
  const here = open ? linkTo(open.body.name, open.line) : `#${rest()}`;
  history.replaceState(null, "", here);
}

function follow() {             // shows what the address says
  const asked = new URLSearchParams(location.hash.slice(1));
  const without = (asked.get("without") || "").split(",");
  const before = off;
  off = all.origins.reduce((mask, origin, place) => without.includes(origin) ? mask | (1 << place) : mask, 0);
  const show = FILTERS[asked.get("show")] ? asked.get("show") : "", find = asked.get("find") || "";
  const isOther = before !== off || $("show").value !== show || $("find").value !== find;
  $("show").value = show;
  $("find").value = find;
  if (isOther) drawOverview();
  const number = asked.has("file") ? all.files.findIndex((file) => file[0] === asked.get("file")) : -1;
  if (number >= 0) { showFile(number, Number(asked.get("line")) || 0); return; }
  const came = open;
  open = null;
  $("overview").hidden = false;
  $("file").hidden = true;
  document.title = `Coverage of ${all.project}`;
  if (came) { const link = [...$("files").querySelectorAll("a")].find((each) => each.getAttribute("href") === linkTo(came.body.name)); if (link) link.focus(); }
}

function keys(event) {
  if (event.altKey || event.ctrlKey || event.metaKey) return;
  const typing = event.target.matches("input[type=search], select");
  if (event.key === "Escape") { if (typing) event.target.blur(); else if (open) location.hash = rest(); return; }
  if (typing || !all) return;
  if (event.key === "/") { event.preventDefault(); if (open) location.hash = rest(); setTimeout(() => $("find").focus(), 0); }
  if (!open) return;
  if (event.key === "n") step(1);
  if (event.key === "p") step(-1);
  if (event.key === "]" && !$("next").hidden) $("next").click();
  if (event.key === "[" && !$("previous").hidden) $("previous").click();
  if ((event.key === "ArrowDown" || event.key === "ArrowUp") && $("code").contains(event.target)) {
    event.preventDefault();
    const to = (open.line || 0) + (event.key === "ArrowDown" ? 1 : -1);
    if (to >= 1 && to <= open.body.code.length) { history.replaceState(null, "", linkTo(open.body.name, to)); choose(to, true); $(`L${to}`).firstChild.focus({preventScroll: true}); }
  }
}

// ---- live: what has changed comes over one connection, which ends with the page ----

function listen() {
  let source = null;
  const look = () => {          // while nobody looks, no process is asked
    if (source) source.close();
    source = document.hidden ? null : new EventSource(`events?${all.version}`);
    $("live").textContent = document.hidden ? "○ paused" : "○ connecting";
    if (!source) return;
    source.onopen = () => { $("live").textContent = "● live"; };
    source.onerror = () => { $("live").textContent = "○ not connected"; };
    source.onmessage = (event) => { change(JSON.parse(event.data)); };
    source.addEventListener("reload", () => location.reload());
  };
  $("live").hidden = false;
  document.addEventListener("visibilitychange", look);
  look();
}

function change({version, index, rows: changedRows, files}) {
  Object.assign(all, index, {version});
  for (const [number, row] of changedRows) all.files[number] = row;
  let fresh = null;
  for (const [number, body] of files) {
    if (open && open.number === number) fresh = [bodies.get(number), body];
    if (bodies.has(number)) bodies.set(number, {...bodies.get(number), ...body});
  }
  drawOverview();
  drawRest();
  $("made").textContent = made();
  if (!open) return;
  open.body = bodies.get(open.number);
  if (fresh && fresh[1].code) drawCode();
  drawFile();
  if (open.line) drawLine();
  if (fresh && !fresh[1].code) open.body.lines.split("").forEach((mark, place) => { if (mark !== fresh[0].lines[place]) $(`L${place + 1}`).classList.add("fresh"); });
}

// ---- start ----

const made = () => `${all.live ? "as of" : "made"} ${moment(all.made)}`;

function offerChanged() {       // without a change that was asked for there is nothing to filter
  const option = $("show").querySelector("[value=changed]");
  option.hidden = option.disabled = !all.change;
}

function start() {
  $("project").textContent = all.project;
  $("made").textContent = made();
  offerChanged();
  drawOverview();
  drawRest();
  for (const id of ["show", "sort", "folders"]) $(id).addEventListener("change", () => { keep(); drawFiles(); });
  $("find").addEventListener("input", () => { keep(); drawFiles(); });
  $("filters").addEventListener("submit", (event) => event.preventDefault());
  $("fold").addEventListener("click", () => {
    const folders = new Set(all.files.map((file) => file[0].slice(0, file[0].lastIndexOf("/") + 1))), folds = folded.size < folders.size;
    folded.clear();
    if (folds) folders.forEach((folder) => folded.add(folder));
    $("fold").textContent = folds ? "Unfold all" : "Fold all";
    drawFiles();
  });
  $("skip").addEventListener("click", (event) => { event.preventDefault(); $("files-title").focus(); });
  $("code").addEventListener("click", (event) => {
    const line = event.target.closest(".ln");
    if (!line || String(getSelection())) return;
    event.preventDefault();
    const number = Number(line.id.slice(1));
    history.replaceState(null, "", linkTo(open.body.name, number));
    choose(number, true);
  });
  addEventListener("hashchange", follow);
  addEventListener("keydown", keys);
  addEventListener("beforeprint", () => document.querySelectorAll(".chunk").forEach(paint));
  follow();
  if (all.live) listen();
}

function theme() {
  const root = document.documentElement, dark = matchMedia("(prefers-color-scheme: dark)").matches;
  const current = root.dataset.theme || (dark ? "dark" : "light");
  root.dataset.theme = current === "dark" ? "light" : "dark";
  try { localStorage.setItem("vmpilot-cov-theme", root.dataset.theme); } catch { /* a page from a disk may keep nothing */ }
}
try { const kept = localStorage.getItem("vmpilot-cov-theme"); if (kept) document.documentElement.dataset.theme = kept; } catch { /* the same */ }
$("theme").addEventListener("click", theme);

function vmpilotCov(what, value) {  // each script of the data calls it
  if (what === "index") { all = value; start(); return; }
  const [number, body] = value;
  bodies.set(number, body);
  const resolve = waiting.get(number);
  waiting.delete(number);
  if (resolve) resolve(body);
}

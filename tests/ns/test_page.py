# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""The agent's page, GET /, in a headless Chromium: at a desk's and a phone's width and in both colour schemes; its figures held
against /metrics and `nodens status`; what a peer can put into a name or an error runs nowhere; nothing private is on it.

What it looked like is in build/page/*.png."""
import http.client
import json
import os
import re
import time

import jsonschema
import pytest

from agent import Metrics, block, cluster_corefile, command, directive, http as get
from browser import Browser
from cluster import D
from lab import BUILD, DNS4, DNS6, ROOT, UP4, note, run, spawn, wait_until
from nodecache import ARGS
from query import unique
from test_status import bare  # noqa: F401  a fixture

PAGE, FIGURES = "http://127.0.0.1:9253/", "http://127.0.0.1:9253/status.json"
SHOTS = BUILD / "page"
DEAD = "10.96.0.77"
WIDTHS = 1280, 390

# A zone with an upstream that never answers, names that are probed, and the page.
WATCHED = block("watched.example:53", f"bind {DNS4} {DNS6}", "prometheus 127.0.0.1:9253", f"forward . {UP4} {DEAD}",
                directive("probe www.watched.example", "interval 1s", "timeout 300ms", "upstreams"))


def read():
    """The figures; what does not fit the schema fails."""
    status, text = get(FIGURES)
    assert status == 200, text
    page = json.loads(text)
    validator().validate(page)
    return page


def validator():
    schemas = ROOT / "docs/schema"
    schema = json.loads((schemas / "page.json").read_text())
    return jsonschema.Draft7Validator(schema, resolver=jsonschema.RefResolver(f"{schemas.as_uri()}/page.json", schema))


@pytest.fixture(scope="module")
def browser(lab):
    browser = Browser(lab.dir / "browser")
    yield browser
    browser.close()


@pytest.fixture
def watched(nodens, p1):
    """The agent with the page, at work; the cache is empty."""
    def start(corefile=None, **options):
        nodens.ensure(corefile=(corefile or cluster_corefile()) + WATCHED, probe=p1, **options)
        wait_until(5, lambda: get(FIGURES)[0] == 200, nodens.log_tail)
    return start


def wait_down():
    """The upstream that never answers is seen to be down."""
    wait_until(10, lambda: any(x["code"] == "upstream_down" for x in read()["status"]["problems"]), "the dead one is not seen")


def number(text):
    """A figure as the page writes it."""
    return float(re.match(r"[\d,]+(\.\d+)?", text).group().replace(",", ""))


def rows(browser, body):
    return browser.eval(f"[...document.querySelectorAll('#{body} tr')].map(tr => [...tr.cells].map(td => td.textContent))")


def facts(browser):
    return dict(browser.eval("[...document.querySelectorAll('#facts dt')].map(dt => [dt.textContent, dt.nextSibling.textContent])"))


def figures(browser):
    return dict(browser.eval("[...document.querySelectorAll('#figures dt')].map(dt => [dt.textContent, dt.nextSibling.textContent])"))


# ---- how it looks ----------------------------------------------------------------------------------------

# Of each text that is seen: WCAG's contrast with what lies behind it, and how large it is.
TEXTS = """(() => {
    const rgba = color => { const n = color.match(/[\\d.]+/g).map(Number); return [n[0], n[1], n[2], n.length > 3 ? n[3] : 1]; };
    const light = c => { const [r, g, b] = c.map(v => (v /= 255) <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4);
        return 0.2126 * r + 0.7152 * g + 0.0722 * b; };
    const over = (top, under) => [0, 1, 2].map(i => top[i] * top[3] + under[i] * (1 - top[3]));
    const behind = node => { let stack = [];
        for (let at = node; at instanceof Element; at = at.parentElement) stack.unshift(rgba(getComputedStyle(at).backgroundColor));
        return stack.reduce((under, top) => over(top, under), [255, 255, 255]); };
    const found = [], walk = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
    while (walk.nextNode()) {
        const node = walk.currentNode.parentElement, style = getComputedStyle(node);
        if (!walk.currentNode.data.trim() || node.closest("script") || !node.getClientRects().length) continue;
        const under = behind(node), ink = over(rgba(node instanceof SVGElement ? style.fill : style.color), under);
        const [a, b] = [light(ink), light(under)].sort((x, y) => y - x);
        found.push([walk.currentNode.data.trim(), (a + 0.05) / (b + 0.05), parseFloat(style.fontSize)]);
    }
    return found;
})()"""

# What reaches over the window's edge, or over that of its own cell.
OVERFLOWING = """[...document.querySelectorAll("body *")].filter(node => node.getClientRects().length && !node.closest("thead, svg") &&
    (node.getBoundingClientRect().right > innerWidth + 0.5 || (node.scrollWidth > node.clientWidth + 1 && node.clientWidth &&
    getComputedStyle(node).display !== "inline"))).map(node => node.outerHTML.slice(0, 200))"""

# Contrast of the areas and lines of the charts with the card that they are on.
INKS = TEXTS.replace("const found = [], walk", """const found = [];
    for (const node of document.querySelectorAll("svg .area, svg .line, .key, .bar div")) {
        const style = getComputedStyle(node), under = behind(node.closest(".card"));
        const [a, b] = [light(rgba(style.color)), light(under)].sort((x, y) => y - x);
        found.push([node.getAttribute("class"), (a + 0.05) / (b + 0.05)]);
    }
    return found;
    const walk""")


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", WIDTHS)
def test_look(watched, browser, p1, width, scheme):
    watched()
    SHOTS.mkdir(exist_ok=True)
    for i in range(300):
        p1.ask(f"n{i % 40}.{D}")
        if i % 10 == 0:
            p1.ask(unique(D))
    wait_down()
    browser.show(PAGE, width=width, scheme=scheme)
    browser.eval("document.getElementById('devicecard').open = true")
    wait_until(10, lambda: browser.eval("document.querySelectorAll('svg .area').length > 0 && "
                                        "document.querySelectorAll('#devices tr').length > 0"), "no chart", step=0.2)
    browser.wait(2.5)
    browser.screenshot(SHOTS / f"{width}-{scheme}.png")
    assert browser.wrong == []
    assert set(browser.requests) == {PAGE, FIGURES} and len(browser.requests) >= 3, browser.requests
    assert browser.eval("document.documentElement.scrollWidth") <= width
    assert browser.eval("innerWidth") == width
    assert browser.eval(OVERFLOWING) == []
    texts = browser.eval(TEXTS)
    assert len(texts) > 60
    assert [x for x in texts if x[1] < 4.5] == [] and [x for x in texts if x[2] < 11] == []
    inks = browser.eval(INKS)
    assert len(inks) > 8 and [x for x in inks if x[1] < 3] == []
    dark = browser.eval("getComputedStyle(document.body).backgroundColor.match(/\\d+/g).map(Number).every(n => n < 60)")
    assert dark == (scheme == "dark")


def test_a_problem_comes_and_goes(watched, browser, nodens):
    """Each problem with its severity and code; a healthy node says so."""
    watched()
    wait_down()
    browser.show(PAGE)
    assert re.fullmatch(rf"error\s+upstream {DEAD}:53 for watched.example. down for .*\s+upstream_down", browser.text("#problems"))
    assert browser.eval("document.title").startswith("! ")
    nodens.corefile.write_text(nodens.corefile.read_text().replace(f" {DEAD}", ""))
    nodens.signal("USR1")
    wait_until(8, lambda: "No problem is known" in browser.text("#problems"), lambda: browser.text("#problems"), step=0.3)
    assert not browser.eval("document.title").startswith("! ")
    nodens.settings = None


# ---- what it says ----------------------------------------------------------------------------------------


def quiet(before=None):
    """The figures once two readings of them have the same counts: what was asked is all counted."""
    def same():
        nonlocal before
        now = read()
        history = {key: sum(x for x in now["history"][key] if x) for key in ("kernel", "agent", "passed")}
        counts = history, [(x["rcode"], x["total"]) for x in now["rcodes"]["list"]], now["status"]["cache"]["entries"]
        same, before = counts == before, counts
        return same and now
    return wait_until(20, same, "it never rests", step=1.2)


def test_figures_are_those_of_metrics(nodens, browser, p1):
    corefile = cluster_corefile() + block("watched.example:53", f"bind {DNS4} {DNS6}", "prometheus 127.0.0.1:9253", f"forward . {UP4}")
    nodens.start(corefile=corefile, probe=p1)
    for i in range(1500):
        p1.ask(f"n{i % 40}.{D}")
        if i % 10 == 0:
            p1.ask(unique(f"none.{D}"))
    wait_until(15, lambda: not Metrics().total("nodens_store_entries", "denial"), "these expire within 5 s", step=0.5)
    quiet()
    browser.show(PAGE)
    browser.wait(2.5)
    metrics, page = Metrics(), browser.eval("last")
    validator().validate(page)
    kernel = sum(page["history"]["kernel"])
    assert kernel > 1000 and kernel == metrics.total("nodens_kernel_hits_total") + metrics.total("nodens_kernel_hits_truncated_total")
    assert sum(page["history"]["agent"]) == metrics.total("nodens_agent_queries_total")
    assert {row[0]: number(row[3]) for row in rows(browser, "rcodes")} == {
        rcode: metrics.total("coredns_dns_responses_total", f'rcode="{rcode}"') for rcode in ("NOERROR", "NXDOMAIN")}
    entries, capacity = metrics.total("nodens_store_entries"), metrics.total("nodens_store_capacity")
    assert entries > 40 and facts(browser)["cache"].startswith(f"{entries:,.0f} of {capacity:,.0f} answers")
    attached, wanted = (metrics.total("nodens_devices", f'state="{x}"') for x in ("attached", "wanted"))
    assert facts(browser)["devices"].startswith(f"{attached:.0f} attached") and f"of {wanted:.0f} wanted" in facts(browser)["devices"]
    assert metrics.total("coredns_build_info", f'version="nodens-{re.escape(page["status"]["version"])}"') == 1
    upstream, = rows(browser, "upstreams")
    assert upstream[0].strip() == f"{UP4}:53 udp" and upstream[1] == "up"
    assert page["status"]["upstreams"][0]["queries"] == metrics.total("coredns_proxy_request_duration_seconds_count", re.escape(UP4))
    assert number(upstream[6]) == page["status"]["upstreams"][0]["timeouts"] == 0
    assert facts(browser)["served"] == f"{DNS4} \u00b7 {DNS6}"


def test_rates_are_those_of_the_load(watched, browser, p1):
    """A steady load: what the page says of the last 10 s against the counters of /metrics ten seconds apart."""
    watched()
    p1.ask(f"n1.{D}")
    before, begun, asked = Metrics(), time.monotonic(), 0
    browser.show(PAGE)
    while time.monotonic() < begun + 13:
        p1.ask(f"n1.{D}")
        asked += 1
        if asked % 50 == 0:
            browser.eval("0")
        time.sleep(0.01)
    browser.wait(2.1)
    passed = time.monotonic() - begun
    gained = Metrics().total("nodens_kernel_hits_total") - before.total("nodens_kernel_hits_total")
    assert gained == asked
    page = browser.eval("last")
    rate = page["status"]["rates"]["kernel_per_s"]
    # of the last ten to eleven seconds, of which up to two and a bit were quiet
    assert 0.7 * asked / passed < rate < 1.3 * asked / passed, (rate, asked / passed)
    shown = figures(browser)
    assert number(shown[f"queries, last {round(page['status']['rates']['seconds'])} s"]) == pytest.approx(
        page["status"]["rates"]["queries_per_s"], abs=0.6)
    share = 100 * rate / page["status"]["rates"]["queries_per_s"]
    assert number(shown["from the kernel"]) == pytest.approx(share, abs=0.06) and share > 90
    ok = next(x for x in page["rcodes"]["list"] if x["rcode"] == "NOERROR")
    assert 0.5 * asked / passed < ok["per_s"] < 1.3 * asked / passed


def test_status_is_the_command_s(watched):
    """The same problems, in the same words but for the seconds in them; the same devices, addresses, configuration."""
    watched()
    wait_down()
    page, own = read()["status"], json.loads(command("status", "--json")[0])
    assert page.keys() == own.keys()
    assert [(x["code"], x["severity"]) for x in page["problems"]] == [(x["code"], x["severity"]) for x in own["problems"]]
    for key in "version", "revision", "node", "agent", "state", "mode", "kernel_path", "pid", "steering", "ready", "config", "served":
        assert page[key] == own[key]
    assert [(x["name"], x["hook"], x["state"]) for x in page["devices"]] == [(x["name"], x["hook"], x["state"]) for x in own["devices"]]
    assert [(x["to"], x["zones"], x["state"]) for x in page["upstreams"]] == [(x["to"], x["zones"], x["state"]) for x in own["upstreams"]]
    assert page["cache"]["capacity"] == own["cache"]["capacity"]


def test_schema_can_say_no(watched):
    watched()
    page = read()
    validator().check_schema(validator().schema)
    assert not validator().is_valid({**page, "other": 1}) and not validator().is_valid({**page, "schema": 2})
    assert not validator().is_valid({**page, "status": {**page["status"], "problems": [{"code": "x"}]}})
    lengths = {len(column) for column in page["history"].values() if isinstance(column, list)}
    assert len(lengths) == 1


def test_probes_and_upstreams(watched, browser):
    watched()
    wait_until(10, lambda: len(read()["probes"]) == 3 and all(sum(x["outcomes"].values()) for x in read()["probes"]), "not probed")
    wait_down()
    browser.show(PAGE)
    said = {row[2].split(",")[0]: row for row in rows(browser, "probes")}
    assert set(said) == {"node", f"{UP4}:53", f"{DEAD}:53"} and {row[0] for row in said.values()} == {"www.watched.example."}
    metrics, page = Metrics(), browser.eval("last")
    dead = next(x for x in page["probes"] if x["via"] == f"{DEAD}:53")
    assert dead["success"] is False and said[f"{DEAD}:53"][1] == "failed"
    timeouts = metrics.total("nodens_probe_total", f'via="{DEAD}:53",result="timeout"')
    assert timeouts - 2 <= dead["outcomes"]["timeout"] <= timeouts
    state = {row[0].strip(): row for row in rows(browser, "upstreams")}
    assert state[f"{DEAD}:53 udp"][1].startswith("down ") and state[f"{UP4}:53 udp"][1] == "up"


def test_charts_under_the_pointer(watched, browser):
    watched()
    wait_until(15, lambda: len(read()["history"]["ms"]) > 6, "no samples")
    browser.show(PAGE)
    # the whole width is five minutes: the left half is long ago, so its nearest sample is the oldest
    x, y = browser.eval("(r => [r.left + 20, r.top + 60])(document.querySelector('#charts svg').getBoundingClientRect())")
    browser.call("Input.dispatchMouseEvent", type="mouseMoved", x=x, y=y)
    assert re.fullmatch(r"[\d.]+ s ago", browser.text("#charts time")) and browser.eval("document.querySelectorAll('.cursor').length") == 1
    browser.call("Input.dispatchMouseEvent", type="mouseMoved", x=1, y=1)
    assert browser.text("#charts time") == ""


def test_agent_that_is_gone(watched, nodens, browser, p1):
    watched()
    browser.show(PAGE)
    assert browser.text("#asof") == "live"
    nodens.kill()
    wait_until(8, lambda: "does not answer; what is shown is" in browser.text("#asof"), lambda: browser.text("#asof"), step=0.3)
    assert browser.eval("document.body.className") == "stale"
    watched()
    wait_until(8, lambda: browser.text("#asof") == "live", lambda: browser.text("#asof"), step=0.3)


def test_without_the_kernel_path_and_standing_by(bare, browser):
    """Where nobody but the agent has what it says of itself; and a second one, which has nothing to say."""
    wait_until(8, lambda: [x["code"] for x in read()["status"]["problems"]] == ["no_kernel_path"], bare.log_tail)
    second = spawn(*bare.image(*ARGS, "-metrics-listen-address", "127.0.0.1:9363"), log=bare.lab.dir / "second.log",
                   env=os.environ | {"KUBE_DNS_UPSTREAM_SERVICE_HOST": UP4})
    try:
        wait_until(8, lambda: get("http://127.0.0.1:9363/status.json") == (503, "standing by: another agent runs on this node\n"),
                   (bare.lab.dir / "second.log").read_text)
        browser.show("http://127.0.0.1:9363/", until="document.getElementById('asof').textContent.startsWith('standing by')")
        browser.show(PAGE)
        wait_until(5, lambda: re.search(r"warning.*\n*.*no_kernel_path[^!]*notice.*\n*.*standby", browser.text("#problems"), re.S),
                   lambda: browser.text("#problems"), step=0.3)
        assert facts(browser)["devices"] == "none: there is no kernel path"
        assert browser.eval("document.getElementById('devicecard').hidden")
    finally:
        second.terminate()
        second.wait(10)
        bare.stop()


# ---- what a hostile peer does ----------------------------------------------------------------------------

EVIL = "<img src=x onerror=window.ran=1><script>window.ran=1</script>\"'&lt;" + 300 * "x"


def harmless(browser):
    """What is on the page is its own."""
    assert browser.eval("window.ran === undefined && document.scripts.length === 1 && !document.querySelector('img, iframe, a, b u')")


@pytest.mark.parametrize("width", WIDTHS)
def test_markup_in_what_others_say_is_text(watched, browser, width):
    """Every text of the figures is markup, as an upstream, a zone or a name might have it, and long."""
    watched()
    wait_until(10, lambda: read()["probes"] and read()["status"]["problems"], "nothing to be seen")

    def evil(value, key=""):
        if isinstance(value, dict):
            return {name: evil(x, name) for name, x in value.items()}
        if isinstance(value, list):
            return [evil(x) for x in value]
        return EVIL if isinstance(value, str) or value is None and key in ("reason", "ahead", "error") else value
    page = evil(read())
    page["certificates"] = [{"to": EVIL, "days": 3.2}]
    browser.answer("/status.json", json.dumps(page))
    try:
        browser.show(PAGE, width=width)
        browser.eval("document.getElementById('devicecard').open = true")
        browser.wait(0.5)
        harmless(browser)
        assert browser.eval(OVERFLOWING) == []
        assert browser.wrong == []
        for where in "name", "head", "problems", "facts", "rcodes", "upstreams", "probes", "devices":
            assert EVIL in browser.eval(f"document.getElementById('{where}').textContent"), where
    finally:
        browser.answer("/status.json", None)


def test_markup_that_comes_by_itself(lab, nodens, browser, p1):
    """The same without help: a path, a device's name, an error of the configuration that have markup in them."""
    where = lab.dir / "<img src=x onerror=window.ran=1>"
    where.mkdir()
    run("ip", "link", "add", "<u>evil", "type", "veth", "peer", "name", "peer")
    before, nodens.corefile = nodens.corefile, where / "Corefile"
    try:
        nodens.start("-interfaces", "<u>*,veth*", corefile=cluster_corefile() + WATCHED, probe=p1)
        nodens.corefile.write_text(".:53 {\n    <script>window.ran=1</script> on\n}\n")
        nodens.signal("USR1")
        wait_until(8, lambda: any(x["code"] == "config_refused" for x in read()["status"]["problems"]), nodens.log_tail)
        browser.show(PAGE)
        browser.eval("document.getElementById('devicecard').open = true")
        wait_until(5, lambda: "<u>evil" in browser.text("#devices"), lambda: browser.text("#devices"), step=0.2)
        assert "<script>window.ran=1</script>" in browser.text("#problems") and str(where) in facts(browser)["config"]
        harmless(browser)
        assert browser.wrong == []
    finally:
        nodens.stop()
        nodens.corefile, nodens.settings = before, None
        run("ip", "link", "del", "<u>evil")


def test_browser_is_told_to_run_nothing_else(watched, browser):
    """Were there a way for markup into the page, the policy would stop it."""
    watched()
    browser.show(PAGE)
    script = """(() => { const node = document.createElement("script"); node.append("window.ran = 1"); document.body.append(node); })()"""
    assert browser.eval(f"try {{ {script} }} catch (error) {{ String(error) }}; window.ran") is None
    assert "TrustedHTML" in browser.eval("try { document.body.innerHTML = '<b>x</b>'; 'taken' } catch (error) { String(error) }")
    assert browser.eval("fetch('http://127.0.0.2:9/').then(() => 'asked', error => error.name)") == "TypeError"
    assert any("Content Security Policy" in text for text in browser.wrong), browser.wrong
    assert "http://127.0.0.2:9/" not in browser.requests or any("connect-src" in text for text in browser.wrong)


def headers(path, method="GET"):
    connection = http.client.HTTPConnection("127.0.0.1", 9253, timeout=5)
    connection.request(method, path)
    reply = connection.getresponse()
    return reply.status, dict(reply.getheaders()), reply.read()


def test_headers(watched):
    watched()
    status, page, body = headers("/")
    assert (status, page["Content-Type"]) == (200, "text/html; charset=utf-8") and body == (ROOT / "userspace/observe/page.html").read_bytes()
    policy = dict(part.strip().split(" ", 1) for part in page["Content-Security-Policy"].split(";"))
    assert policy["default-src"] == "'none'" and policy["connect-src"] == "'self'" and policy["frame-ancestors"] == "'none'"
    assert re.fullmatch(r"'sha256-[\w+/]{43}='", policy["script-src"]) and re.fullmatch(r"'sha256-[\w+/]{43}='", policy["style-src"])
    assert "unsafe" not in page["Content-Security-Policy"]
    status, of_figures, _ = headers("/status.json")
    assert (status, of_figures["Content-Type"]) == (200, "application/json")
    for each in page, of_figures:
        assert each["X-Content-Type-Options"] == "nosniff" and each["Cache-Control"] == "no-store"
    assert headers("/", "HEAD")[::2] == (200, b"") and headers("/", "POST")[0] == 405 and headers("/x")[0] == 404
    assert b"http" not in body.replace(b"http://www.w3.org/2000/svg", b"").replace(b"HTTP", b""), "an address elsewhere"


# ---- what is private -------------------------------------------------------------------------------------


def test_no_name_and_no_client(watched, p1, nodens):
    watched()
    names = [unique(D) for _ in range(20)]
    for name in names:
        assert p1.ask(name) and p1.ask(name)
    time.sleep(1.2)
    text = get(FIGURES)[1]
    assert names[0].split(".")[0] not in text and not any(name in text for name in names)
    assert p1.ip4 not in text and p1.ip6 not in text


def anonymous(pid):
    """Kilobytes of the process' own: code and what else lies in files is not counted."""
    with open(f"/proc/{pid}/smaps_rollup") as file:
        return int(re.search(r"^Anonymous: +(\d+) kB", file.read(), re.M).group(1))


def test_costs_little(nodens, p1, browser):
    """What the page takes of a fresh agent's memory once it is looked at."""
    browser.show("about:blank", until="true")
    nodens.start(corefile=cluster_corefile() + WATCHED, probe=p1)
    wait_down()  # with the figures read
    time.sleep(2)
    took = [anonymous(nodens.pid)]
    for _ in range(100):
        assert get(PAGE)[0] == 200 and get(FIGURES)[0] == 200
        time.sleep(0.11)
        took.append(anonymous(nodens.pid))
    note(f"anonymous memory after the first figures {took[0]} KB, after 100 pages {took[-1]}")
    assert took[-1] - took[0] < 256

# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""deploy/grafana/nodens.json: each of its expressions returns numbers from a Prometheus that scrapes an agent under load; those
that boards for CoreDNS are made of do, too."""
import json
import math
import re
import urllib.parse

import pytest

from agent import block, directive, http
from certificates import Certificates
from cluster import D
from lab import DNS4, ROOT, UP4, ip, output, run, spawn, wait_until
from load import dnsperf
from unbound import Unbound

BOARD = json.loads((ROOT / "deploy/grafana/nodens.json").read_text())
PANELS = [panel for panel in BOARD["panels"] if panel["type"] != "row"]
TARGETS = [(panel, target) for panel in PANELS for target in panel["targets"]]
VARIABLES = {variable["name"]: variable for variable in BOARD["templating"]["list"]}
PROMETHEUS = "127.0.0.1:9090"
RATE = "8s"  # what Grafana puts in for $__rate_interval: four times the interval between scrapes

# Metrics of the public boards for CoreDNS and NodeLocal DNSCache, and the labels that they split by. What they also show and nodens
# has not: Go's runtime (go_*) and the kubernetes plugin (coredns_kubernetes_*), which no node cache has either.
COREDNS = {
    "coredns_dns_requests_total": "server zone proto family type",
    "coredns_dns_responses_total": "server zone rcode plugin",
    "coredns_dns_do_requests_total": "server zone",
    "coredns_cache_hits_total": "server type",
    "coredns_cache_misses_total": "server",
    "coredns_cache_requests_total": "server",
    "coredns_cache_prefetch_total": "server",
    "coredns_cache_evictions_total": "server type",
    "coredns_forward_requests_total": "to",
    "coredns_forward_responses_total": "to rcode",
    "coredns_forward_healthcheck_failures_total": "to",
    "coredns_forward_healthcheck_broken_total": "",
    "coredns_forward_max_concurrent_rejects_total": "",
    "coredns_forward_conn_cache_hits_total": "to proto",
    "coredns_forward_conn_cache_misses_total": "to proto",
    "coredns_proxy_healthcheck_failures_total": "proxy_name to",
    "coredns_panics_total": "",
    "coredns_reload_failed_total": "",
    "coredns_health_request_failures_total": "",
    "coredns_nodecache_setup_errors_total": "errortype",
    "process_cpu_seconds_total": "",
}
HISTOGRAMS = {
    "coredns_dns_request_duration_seconds": "server zone",
    "coredns_dns_request_size_bytes": "server zone proto",
    "coredns_dns_response_size_bytes": "server zone proto",
    "coredns_forward_request_duration_seconds": "to rcode",
    "coredns_proxy_request_duration_seconds": "proxy_name to rcode",
    "coredns_health_request_duration_seconds": "",
}
GAUGES = {
    "up": "job", "coredns_build_info": "version revision", "coredns_cache_entries": "server type",
    "coredns_plugin_enabled": "server zone name", "coredns_reload_version_info": "hash value", "coredns_hosts_entries": "",
    "process_resident_memory_bytes": "", "process_open_fds": "", "process_max_fds": "", "process_start_time_seconds": "",
}

CONFIG = f"""global:
  scrape_interval: 2s
scrape_configs:
  - job_name: nodens
    static_configs:
      - targets: ["127.0.0.1:9253"]
"""
TLS, GONE = "10.50.0.4", "10.50.0.9"


def corefile(lab):
    both = [f"bind {DNS4}", "errors", "prometheus :9253"]
    return (block("cluster.local:53", *both, "health 127.0.0.1:8080", directive("cache", "success 64 2 1", "serve_stale 1h immediate", "prefetch 2 1m 90%"),
                  directive(f"probe kubernetes.{D}", "interval 1s", "timeout 500ms", "upstreams"), f"forward . {UP4}")
            + block("example.org:53", *both, "cache 30", directive("hosts", "192.0.2.200 host.example.org", "fallthrough"),
                    f"forward . {UP4}")
            + block("fake.test:53", *both, "cache 30", directive(f"forward . 10.50.0.1 {GONE}", "policy round_robin", "max_fails 1"))
            + block("tls.test:53", *both, "cache", directive("probe www.tls.test", "interval 1s", "timeout 500ms"),
                    directive(f"forward . tls://{TLS}", f"tls {lab.dir}/ca.pem")))


class Prometheus:
    def __init__(self, lab):
        self.at, config, self.log = None, lab.dir / "prometheus.yml", lab.dir / "prometheus.log"
        config.write_text(CONFIG)
        run("promtool", "check", "config", config)
        self.process = spawn("prometheus", f"--config.file={config}", f"--storage.tsdb.path={lab.dir}/tsdb",
                             f"--web.listen-address={PROMETHEUS}", log=self.log)
        wait_until(30, lambda: http(f"http://{PROMETHEUS}/-/ready")[0] == 200, self.log.read_text)

    def get(self, path, **parameters):
        status, text = http(f"http://{PROMETHEUS}/api/v1/{path}?{urllib.parse.urlencode(parameters, doseq=True)}", timeout=20)
        answer = json.loads(text)
        assert status == 200 and answer["status"] == "success", (parameters, text)
        return answer["data"]

    def query(self, expr):
        """[({LABEL: VALUE}, NUMBER)], now or at the time `at`."""
        result = self.get("query", query=expr, **({"time": self.at} if self.at else {}))["result"]
        return [(series["metric"], float(series["value"][1])) for series in result]

    def values(self, label, match):
        return self.get(f"label/{label}/values", **{"match[]": match})


def load(lab, pod):
    """All kinds of queries, some of which fail."""
    queries = [(f"n{i % 200}.{D}", "A" if i % 3 else "AAAA") for i in range(1500)]
    queries += [(f"{'nx.n' if i % 2 else 'www'}{i % 40}.fake.test", "A") for i in range(500)]
    dnsperf(lab, pod, queries, "-q", 20, "-t", 2, server=DNS4)
    dnsperf(lab, pod, [(f"b{i}.fake.test", "TXT") for i in range(10)], "-D", "-e", server=DNS4)
    for name, options in (("host.example.org", {}), ("www.tls.test", {}), (f"n1.{D}", {"tcp": True}), ("servfail.fake.test", {})):
        pod.ask(name, server=DNS4, **options)


@pytest.fixture(scope="module")
def prometheus(lab, nodens, p1, all_upstreams):
    """After some seconds of load, with scrapes of them."""
    ip(f"addr add {TLS}/32 dev lo", "up")
    Certificates(lab.dir).make("unbound", f"IP:{TLS}", days=30)
    Unbound(lab, TLS)
    nodens.start("-hook", "tc", corefile=corefile(lab), serve=[DNS4], probe=p1)
    server = Prometheus(lab)
    wait_until(10, lambda: server.query("nodens_kernel_path"), server.log.read_text)
    for _ in range(4):
        load(lab, p1)
        now = server.query("timestamp(nodens_kernel_path)")[0][1]
        wait_until(10, lambda: server.query("timestamp(nodens_kernel_path)")[0][1] > now, "no scrape")
    server.at = server.query("timestamp(nodens_kernel_path)")[0][1]
    yield server
    server.process.kill()
    server.process.wait()


def filled_in(text):
    for name, value in (("$__rate_interval", RATE), ("$job", "nodens"), ("$instance", ".*"), ("$zone", ".*")):
        text = text.replace(name, value)
    assert "$" not in text, text
    return text


def numbers(prometheus, expr):
    """Its series, one of which has a number."""
    result = prometheus.query(filled_in(expr))
    assert [value for _, value in result if math.isfinite(value)], f"{expr}: {result}"
    return result


def metrics_of(expr):
    return set(re.findall(r"\b(?:coredns|nodens|process)_[a-z0-9_]+", expr))


def test_each_expression(prometheus):
    names = set(prometheus.values("__name__", '{job="nodens"}'))
    for panel, target in TARGETS:
        assert not metrics_of(target["expr"]) - names, panel["title"]
        result = numbers(prometheus, target["expr"])
        # what the legend names is there to be shown
        wanted = set(re.findall(r"{{(\w+)}}", target["legendFormat"])) - {"le"}
        assert all(wanted <= set(labels) for labels, _ in result), (panel["title"], target["legendFormat"], result)
    for note in BOARD["annotations"]["list"]:
        prometheus.query(filled_in(note["expr"]))
        assert not metrics_of(note["expr"]) - names


def test_figures(prometheus):
    """Some that are known: a wrong sign or a wrong divisor has numbers too."""
    by_title = {panel["title"]: [target["expr"] for target in panel["targets"]] for panel in PANELS}

    def figure(title, at=0):
        return dict((tuple(labels.values()), value) for labels, value in numbers(prometheus, by_title[title][at]))
    assert 0.2 < figure("Answered in the kernel")[()] < 0.9
    assert 0 < figure("SERVFAIL")[()] < 0.1
    assert figure("Without a program")[()] == 0
    assert figure("Upstreams down")[()] == 1
    assert figure("Wanted and attached")[("attached",)] == figure("Wanted and attached")[("wanted",)] > 1
    assert {("cluster.local.",), ("fake.test.",)} <= set(figure("By zone"))
    assert abs(sum(figure("By zone").values()) - sum(figure("By type").values())) < 1e-6
    assert figure("NXDOMAIN by zone")[("fake.test.",)] > 0.3
    assert all(0 < value <= 1 for value in figure("Share of hits").values() if math.isfinite(value))
    assert 29 < figure("Certificates of upstreams")[(f"{TLS}:853",)] <= 30
    assert figure("Success")[(f"kubernetes.{D}.", "node")] == 1
    assert list(figure("Versions").values()) == [1]


def test_variables(prometheus):
    assert prometheus.values("instance", 'nodens_kernel_path{job="nodens"}') == ["127.0.0.1:9253"]
    for name in "job", "instance", "zone":
        match, label = re.fullmatch(r"label_values\((.*), (\w+)\)", VARIABLES[name]["query"]["query"]).groups()
        assert label == name and prometheus.values(label, filled_in(match)), name
    assert "fake.test." in prometheus.values("zone", "coredns_dns_requests_total")


def split(labels):
    return f" by ({', '.join(labels.split())})"


def test_boards_of_coredns(prometheus):
    for metric, labels in COREDNS.items():
        for selector in (metric, f'{metric}{{job="nodens", instance=~".*"}}'):
            for series, _ in numbers(prometheus, f"sum(rate({selector}[$__rate_interval])){split(labels)}"):
                assert set(series) == set(labels.split()), (metric, series)
    for metric, labels in HISTOGRAMS.items():
        for quantile in 0.5, 0.99:
            by = split(f"{labels} le")
            numbers(prometheus, f"histogram_quantile({quantile}, sum(rate({metric}_bucket[$__rate_interval])){by})")
        numbers(prometheus, f"sum(rate({metric}_sum[$__rate_interval])) / sum(rate({metric}_count[$__rate_interval]))")
    for metric, labels in GAUGES.items():
        for series, _ in numbers(prometheus, f"sum({metric}){split(labels)}"):
            assert set(series) == set(labels.split()), (metric, series)
    # as they show the share of hits, and how many plugins there are
    numbers(prometheus, "sum(coredns_cache_hits_total) / (sum(coredns_cache_hits_total) + sum(coredns_cache_misses_total))")
    numbers(prometheus, "count(sum(coredns_plugin_enabled) by (name))")


def test_form():
    """What Grafana would stumble over, or a reader."""
    for key in "id", "title":
        assert len({panel[key] for panel in BOARD["panels"]}) == len(BOARD["panels"]), key
    taken = set()
    for panel in BOARD["panels"]:
        at = panel["gridPos"]
        cells = {(x, y) for x in range(at["x"], at["x"] + at["w"]) for y in range(at["y"], at["y"] + at["h"])}
        assert at["x"] + at["w"] <= 24 and not cells & taken, panel["title"]
        taken |= cells
    titles = [panel["title"] for panel in BOARD["panels"] if panel["type"] == "row"]
    words = "Overview", "Outcomes", "Splits", "Latency", "Upstreams", "Devices", "Cache", "Probes", "Agent"
    assert all(title.startswith(word) for title, word in zip(titles, words, strict=True)), titles
    for panel, target in TARGETS:
        assert panel["datasource"]["uid"] == target["datasource"]["uid"] == "${datasource}"
        assert "$job" in target["expr"], f"{panel['title']}: another server's metrics would be in it"
        assert panel["fieldConfig"]["defaults"].get("unit") or panel["type"] == "heatmap"
    for panel in PANELS:
        assert len({target["refId"] for target in panel["targets"]}) == len(panel["targets"])


def test_each_alert_has_metrics(prometheus):
    names = set(prometheus.values("__name__", '{job="nodens"}'))
    rules = (ROOT / "deploy/monitoring/alerts.yaml").read_text()
    output("promtool", "check", "rules", ROOT / "deploy/monitoring/alerts.yaml")
    used = {name for name in metrics_of(rules) if name[-1] != "_"}  # nodens_agent_upstream_* in a text
    assert len(used) > 10 and not used - names, used - names

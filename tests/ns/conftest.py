# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""What the files of this folder share, beside harness.py."""
import os
import re

import pytest

import lab as lab_module
import nodecache
from agent import block, cluster_corefile, directive
from cluster import FakeUpstream, Upstreams
from device import COUNT, TOOL, Device, has_feature
from reload import Steered
from way import VARIANTS, Way


@pytest.fixture(scope="session")
def cli(lab):
    """A pod that asks at the node's side of its veth, where an agent in listen mode is."""
    return lab.pod("cli", server=lab_module.POD_SIDE4)


@pytest.fixture(scope="session")
def all_upstreams(lab):
    return Upstreams(lab)


@pytest.fixture
def upstreams(all_upstreams):
    """tests/fake-upstream at 10.50.0.1 to .3; none is frozen."""
    all_upstreams.thaw()
    yield all_upstreams
    all_upstreams.thaw()


@pytest.fixture
def forward(nodens, cli, upstreams):
    """forward(SERVERS, OPTION...): the agent in listen mode with this forward, started anew: nothing cached, all alive."""
    def start(servers, *options, cache="cache 30", reuse=False):
        serve = f"bind {lab_module.POD_SIDE4} {lab_module.POD_SIDE6}"
        nodens.listen(block(".:53", serve, cache, directive(f"forward . {servers}", *options)), reuse=reuse)
    return start


@pytest.fixture
def forwards(nodens, cli, upstreams):
    """forwards(LINE...): these forwards in one block without a cache; what none of them is for goes nowhere."""
    def start(*lines, env=None, reuse=False):
        nodens.listen(block(".:53", f"bind {lab_module.POD_SIDE4}", "forward . 10.50.0.9", *lines), env=env, reuse=reuse)
    return start


@pytest.fixture(scope="session")
def cache_fake(lab, cluster):
    """tests/fake-upstream at 10.50.0.1, which says what tests want; it is all that the cache's tests ask."""
    up = lab.pod("up")
    lab_module.ip("addr add 10.50.0.1/32 dev lo", "up")
    lab_module.ip(f"route add 10.50.0.1 via {up.ip4} dev {up.veth}")
    answers = lab.dir / "answers"
    answers.touch()
    return FakeUpstream(up, "10.50.0.1", "--id", 99, answers=answers)


@pytest.fixture
def cached(nodens, cache_fake, p1):
    """cached(LINE...): nodens for pods, with a block whose cache has these lines; nothing is cached, nothing else asks."""
    def start(*lines, flags=()):
        cache_fake.thaw()
        nodens.start("--hook", "tc", *flags, serve=[lab_module.DNS4], probe=p1,
                     corefile=block(".:53", "errors", f"bind {lab_module.DNS4}", "forward . 10.50.0.1",
                                    directive("cache", *lines)))
    return start


@pytest.fixture(scope="session")
def steered_pod(lab):
    return lab.pod("p1")


@pytest.fixture
def steered(lab, nodens, upstreams, steered_pod):
    """The agent with steering, a ConfigMap, tests/fake-upstream; not started."""
    return Steered(lab, nodens, steered_pod, upstreams)


@pytest.fixture(scope="session")
def full_corefile():
    """Every plugin that is to be seen in metrics and pages; its zones' upstreams are 10.50.0.1 and 10.50.0.2."""
    return (lab_module.ROOT / "tests/ns/full.corefile").read_text()


@pytest.fixture
def serve(nodens, cli, upstreams):
    """serve(COREFILE, FLAG...): the agent in listen mode with it, started anew; returns when its upstreams answer."""
    def serve(corefile, *flags, answering=True):
        nodens.listen(corefile, *flags, split=True)
        if answering:
            nodens.wait_said("upstreams of all zones answer")
    return serve


@pytest.fixture(scope="module")
def swapped(lab, cluster, p1):
    """nodens in node-cache's place; not started."""
    cache = nodecache.NodeCache(lab, cluster)
    cache.rules_before = lab_module.rules()
    yield cache
    cache.stop()


@pytest.fixture(scope="module")
def ground(lab, cluster, p1, p2):
    """Rules of netfilter before nodens came."""
    cluster.listen()
    return lab_module.rules()


@pytest.fixture(scope="module")
def any_way(nodens, cluster, ground):
    return Way(nodens, cluster)


@pytest.fixture(scope="module", params=VARIANTS)
def variant(request):
    return VARIANTS[request.param]


@pytest.fixture
def way(any_way, nodens, p1, variant):
    """nodens in each variant, its cache empty."""
    nodens.ensure(*variant, corefile=cluster_corefile(), probe=p1)
    return any_way


@pytest.fixture
def tc(any_way, nodens, p1):
    """nodens with tc alone, its cache empty."""
    nodens.ensure(*VARIANTS["tc"], corefile=cluster_corefile(), probe=p1)
    return any_way


@pytest.fixture
def stopped(nodens, ground):
    nodens.stop()
    nodens.corefile.write_text(cluster_corefile())


@pytest.fixture
def installed(swapped):
    """The manifest's ConfigMaps are there, nothing runs."""
    swapped.install()
    yield swapped
    swapped.own()


@pytest.fixture
def cache(swapped, p1):
    """The manifest's own, running; tests that leave it so share it."""
    if not (swapped.alive() and swapped.manifest):
        swapped.install()
        nodecache.start(swapped, p1)
        swapped.manifest = True
    return swapped


@pytest.fixture
def changed(cache):
    """The manifest's own, running, which the test changes."""
    yield cache
    cache.own()


@pytest.fixture
def node(lab):
    return lab.node


@pytest.fixture
def device(lab):
    assert os.path.exists(TOOL) and os.path.exists(COUNT), f"{TOOL} or {COUNT} is missing: make tests"
    return Device(lab)


@pytest.fixture
def tcx(lab):
    if not has_feature("tcx"):
        pytest.skip("no tcx on this kernel")


@pytest.fixture
def xdp(lab):
    if not has_feature("xdp_grow"):
        pytest.skip("no XDP that grows on this kernel")


@pytest.fixture
def layout():
    """The directory below PINS that maps of this layout are pinned in."""
    text = (lab_module.ROOT / "headers/nodens_abi.h").read_text()
    return "layout-" + re.search(r"^#define NODENS_LAYOUT +(\d+)", text, re.M).group(1)

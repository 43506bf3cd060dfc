# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""Who answered a pod: the kernel, the agent, or the cluster's DNS; and the variants of nodens in which that is asked."""
from cluster import D

VARIANTS = {
    "tc": ["--hook", "tc"],
    "xdp": ["--hook", "xdp-generic"],
    "pre54": ["--hook", "tc", "--pretend-kernel", "5.4"],
}


class Way:
    """Asks, and knows who answered: the kernel, or a server of the cluster's DNS that was asked."""

    def __init__(self, nodens, cluster):
        self.nodens, self.cluster = nodens, cluster

    def counted(self, pod, name, *args, **options):
        asked = self.cluster.asked(name)
        with self.nodens.counting() as gains:
            answer = pod.ask(name, *args, **options)
        return answer, gains, self.cluster.asked(name) - asked

    def hit(self, pod, name, *args, **options):
        answer, gains, asked = self.counted(pod, name, *args, **options)
        assert (gains["kernel.hits"], asked) == (1, 0), "answered by the kernel"
        return answer

    def miss(self, pod, name, *args, **options):
        answer, gains, asked = self.counted(pod, name, *args, **options)
        assert gains["kernel.hits"] == 0 and asked > 0, "answered by the cluster's DNS"
        return answer

    def cached(self, pod, name, *args, **options):
        """No upstream was asked. An answer that generic XDP cannot grow a packet to comes from the agent."""
        answer, gains, asked = self.counted(pod, name, *args, **options)
        assert (gains["kernel.hits"] + gains["kernel.pass_resize"], asked) == (1, 0)
        return answer

    def miss_then_hit(self, pod, another):
        assert self.miss(pod, f"n1.{D}").value == "10.100.0.1"
        assert self.hit(pod, f"n1.{D}").value == "10.100.0.1"
        assert self.hit(another, f"n1.{D}").value == "10.100.0.1", "another pod's answer"

// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only

// cni wires a network namespace as a container runtime does: through libcni, which runs the plugins
// and writes its cache, /var/lib/cni or the directory given.
//
//	cni add|del CACHE NETWORK.conflist NETNS CONTAINER [KEY=VALUE...]
//
// The keys are what runtimes hand to plugins: K8S_POD_NAMESPACE, K8S_POD_NAME and the like.
// Built by tests/ns/cni.py from Debian's own libcni.
package main

import (
	"context"
	"fmt"
	"os"
	"strings"

	"github.com/containernetworking/cni/libcni"
)

func fail(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, "cni:", err)
		os.Exit(1)
	}
}

func main() {
	if len(os.Args) < 6 {
		fail(fmt.Errorf("add|del CACHE NETWORK.conflist NETNS CONTAINER [KEY=VALUE...]"))
	}
	args := [][2]string{{"IgnoreUnknown", "1"}}
	for _, arg := range os.Args[6:] {
		pair := strings.SplitN(arg, "=", 2)
		args = append(args, [2]string{pair[0], pair[1]})
	}
	list, err := libcni.ConfListFromFile(os.Args[3])
	fail(err)
	cni := libcni.NewCNIConfigWithCacheDir([]string{"/usr/lib/cni"}, os.Args[2], nil)
	runtime := &libcni.RuntimeConf{ContainerID: os.Args[5], NetNS: os.Args[4], IfName: "eth0", Args: args}
	if os.Args[1] == "del" {
		fail(cni.DelNetworkList(context.Background(), list, runtime))
		return
	}
	result, err := cni.AddNetworkList(context.Background(), list, runtime)
	fail(err)
	fail(result.Print())
}

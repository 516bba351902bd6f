// What a node of the tests' Kubernetes runs beside its container runtime, as one binary: the first argument names the component.
//
// It is a module of its own, so that whoever only wants the API server does not build it: `make test-cluster` does, once per machine.
// tests/node/machine.py starts the kubelet and the kube-proxy from it. Everything has the versions of tests/cluster/kubernetes.
package main

import (
	"context"
	"fmt"
	"os"

	"github.com/spf13/cobra"
	"k8s.io/component-base/cli"
	proxy "k8s.io/kubernetes/cmd/kube-proxy/app"
	kubelet "k8s.io/kubernetes/cmd/kubelet/app"
)

var components = map[string]func() *cobra.Command{
	"kubelet":    func() *cobra.Command { return kubelet.NewKubeletCommand(context.Background()) },
	"kube-proxy": proxy.NewProxyCommand,
}

func main() {
	os.Args = os.Args[1:]
	if len(os.Args) == 0 || components[os.Args[0]] == nil {
		fmt.Fprintln(os.Stderr, "usage: kubenode kubelet|kube-proxy [flags]")
		os.Exit(2)
	}
	os.Exit(cli.Run(components[os.Args[0]]()))
}

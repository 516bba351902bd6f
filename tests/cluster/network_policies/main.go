// Enforces NetworkPolicies on the tests' node, with the packet filter of kube-network-policies. Its own command can only run as a pod; this
// one takes a kubeconfig, so that it is one more program of tests/node/machine.py.
package main

import (
	"context"
	"flag"
	"log"
	"os/signal"
	"syscall"

	"k8s.io/client-go/informers"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/clientcmd"
	"sigs.k8s.io/kube-network-policies/pkg/networkpolicy"
)

func main() {
	kubeconfig := flag.String("kubeconfig", "", "the API server, and who asks it")
	node := flag.String("hostname-override", "", "the node's name")
	table := flag.String("table", "kabobagool", "name of the packet filter's table")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	defer stop()
	if err := enforce(ctx, *kubeconfig, networkpolicy.Config{NodeName: *node, NFTableName: *table, NRIdisabled: true}); err != nil {
		log.Fatal(err)
	}
}

func enforce(ctx context.Context, kubeconfig string, config networkpolicy.Config) error {
	cluster, err := clientcmd.BuildConfigFromFlags("", kubeconfig)
	if err != nil {
		return err
	}
	client, err := kubernetes.NewForConfig(cluster)
	if err != nil {
		return err
	}
	watched := informers.NewSharedInformerFactory(client, 0)
	core := watched.Core().V1()
	controller, err := networkpolicy.NewController(
		client, watched.Networking().V1().NetworkPolicies(), core.Namespaces(), core.Pods(), nil, nil, nil, nil, config)
	if err != nil {
		return err
	}
	watched.Start(ctx.Done())
	return controller.Run(ctx)
}

// The Kubernetes that the tests run, as one binary: the first argument names the component and the rest are its own.
//
// One binary links in a quarter of the time and the space of five, and has everything at one version. tests/cluster/binaries.py builds it
// once per machine; tests/cluster/control_plane.py starts etcd, the API server, the controller manager and the scheduler from it, and
// tests/cluster/kubectl.py the command a user would type. What a node needs is not in it: a file of this package behind a build tag can
// add to `components` in its init function.
package main

import (
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"go.etcd.io/etcd/server/v3/etcdmain"
	"k8s.io/component-base/cli"
	"k8s.io/kubectl/pkg/cmd"
	"k8s.io/kubectl/pkg/cmd/util"
	apiserver "k8s.io/kubernetes/cmd/kube-apiserver/app"
	controllers "k8s.io/kubernetes/cmd/kube-controller-manager/app"
	scheduler "k8s.io/kubernetes/cmd/kube-scheduler/app"
)

var components = map[string]func(){
	"etcd":                    func() { etcdmain.Main(os.Args) },
	"kube-apiserver":          command(apiserver.NewAPIServerCommand),
	"kube-controller-manager": command(controllers.NewControllerManagerCommand),
	"kube-scheduler":          command(func() *cobra.Command { return scheduler.NewSchedulerCommand() }),
	"kubectl":                 kubectl,
}

func command(build func() *cobra.Command) func() {
	return func() { os.Exit(cli.Run(build())) }
}

// Unlike a server, kubectl prints its errors without the dress of a log.
func kubectl() {
	if err := cli.RunNoErrOutput(cmd.NewDefaultKubectlCommand()); err != nil {
		util.CheckErr(err)
	}
}

func main() {
	os.Args = os.Args[1:]
	if len(os.Args) == 0 || components[os.Args[0]] == nil {
		names := strings.Join(slices.Sorted(maps.Keys(components)), "|")
		fmt.Fprintf(os.Stderr, "usage: kube %s [flags]\n", names)
		os.Exit(2)
	}
	components[os.Args[0]]()
}

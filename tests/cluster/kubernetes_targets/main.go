// Prometheus's own discovery of Kubernetes targets as a program of its own, for a Prometheus that was built without it (Debian's is): it
// reads a configuration, watches the API server as that says, and keeps what it finds, labels and all, in one file for each job, in the
// form that file_sd_configs read. Usage: kubernetes-targets CONFIGURATION FOLDER; the file of the job at place N is FOLDER/N.json.
package main

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strconv"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/discovery"
	"github.com/prometheus/prometheus/discovery/kubernetes"
	"github.com/prometheus/prometheus/discovery/targetgroup"
	"go.yaml.in/yaml/v2"
)

type configuration struct {
	Jobs []struct {
		Kubernetes []*kubernetes.SDConfig `yaml:"kubernetes_sd_configs"`
	} `yaml:"scrape_configs"`
}

type group struct {
	Targets []string       `json:"targets"`
	Labels  model.LabelSet `json:"labels"`
}

func main() {
	if err := run(os.Args[1], os.Args[2]); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run(file, folder string) error {
	jobs, err := read(file)
	if err != nil {
		return err
	}
	metrics, err := discovery.CreateAndRegisterSDMetrics(prometheus.DefaultRegisterer)
	if err != nil {
		return err
	}
	logger := slog.New(slog.NewTextHandler(os.Stderr, nil))
	manager := discovery.NewManager(context.Background(), logger, prometheus.DefaultRegisterer, metrics)
	if err := manager.ApplyConfig(jobs); err != nil {
		return err
	}
	go func() { _ = manager.Run() }()
	for found := range manager.SyncCh() {
		for job, groups := range found {
			if err := write(filepath.Join(folder, job+".json"), groups); err != nil {
				return err
			}
		}
	}
	return nil
}

// The discovery that each job asks for, by its place.
func read(file string) (map[string]discovery.Configs, error) {
	text, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	var whole configuration
	if err := yaml.Unmarshal(text, &whole); err != nil {
		return nil, err
	}
	jobs := map[string]discovery.Configs{}
	for place, job := range whole.Jobs {
		for _, asked := range job.Kubernetes {
			jobs[strconv.Itoa(place)] = append(jobs[strconv.Itoa(place)], asked)
		}
	}
	return jobs, nil
}

// Whoever reads sees the file as it was or as it is.
func write(file string, found []*targetgroup.Group) error {
	groups := []group{}
	for _, each := range found {
		for _, target := range each.Targets {
			labels := each.Labels.Merge(target)
			delete(labels, model.AddressLabel)
			groups = append(groups, group{Targets: []string{string(target[model.AddressLabel])}, Labels: labels})
		}
	}
	text, err := json.Marshal(groups)
	if err != nil {
		return err
	}
	if err := os.WriteFile(file+".new", text, 0o600); err != nil {
		return err
	}
	return os.Rename(file+".new", file)
}

// The second control of the benchmark: what the operator does for a NorthflankDeployment, in controller-runtime with
// typed objects, the way most operators in Go are written.
//
// It reads the service, compares, writes the image, keeps the conditions with observedGeneration, follows the rollout to
// its end with polls, and records two Events per change. It is elected by a Lease, serves health and metrics, and logs
// one line per decision. It has no quota, no validation and no other kinds.
package main

import (
	"errors"
	"flag"
	"net/http"
	"os"

	"golang.org/x/time/rate"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/tools/events"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/builder"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/config"
	"sigs.k8s.io/controller-runtime/pkg/log/zap"
	"sigs.k8s.io/controller-runtime/pkg/metrics/server"
	"sigs.k8s.io/controller-runtime/pkg/predicate"
)

func main() {
	// --kubeconfig is a flag of controller-runtime.
	apiURL := flag.String("api-url", "", "URL of the Northflank API")
	namespace := flag.String("leader-elect-namespace", "", "namespace of the Lease")
	health := flag.String("health-bind-address", "127.0.0.1:0", "address of /healthz and /readyz")
	metrics := flag.String("metrics-bind-address", "127.0.0.1:0", "address of /metrics")
	workers := flag.Int("workers", 8, "maximum number of concurrent reconciles")
	flag.Parse()
	ctrl.SetLogger(zap.New())
	err := run(options{
		northflank: newNorthflank(*apiURL, os.Getenv("NORTHFLANK_API_TOKEN"), *workers),
		namespace:  *namespace,
		health:     *health,
		metrics:    *metrics,
		workers:    *workers,
	})
	if err != nil {
		ctrl.Log.Error(err, "ended")
		os.Exit(1)
	}
}

type options struct {
	northflank *northflank
	namespace  string
	health     string
	metrics    string
	workers    int
}

func run(options options) error {
	ctx := ctrl.SetupSignalHandler()
	if err := addToScheme(scheme.Scheme); err != nil {
		return err
	}
	kube, err := ctrl.GetConfig()
	if err != nil {
		return err
	}
	// The other programs of the benchmark limit no requests to the API server either.
	kube.QPS = -1
	warm := true
	manager, err := ctrl.NewManager(kube, ctrl.Options{
		Scheme:                        scheme.Scheme,
		Cache:                         cache.Options{DefaultTransform: cache.TransformStripManagedFields()},
		Metrics:                       server.Options{BindAddress: options.metrics},
		HealthProbeBindAddress:        options.health,
		LeaderElection:                true,
		LeaderElectionID:              "northflank-operator",
		LeaderElectionNamespace:       options.namespace,
		LeaderElectionReleaseOnCancel: true,
		Controller:                    config.Controller{MaxConcurrentReconciles: options.workers, EnableWarmup: &warm},
	})
	if err != nil {
		return err
	}
	informer, err := manager.GetCache().GetInformer(ctx, &NorthflankDeployment{}, cache.BlockUntilSynced(false))
	if err != nil {
		return err
	}
	ready := func(*http.Request) error {
		if !informer.HasSynced() {
			return errors.New("not listed yet")
		}
		return nil
	}
	if err := manager.AddReadyzCheck("cache", ready); err != nil {
		return err
	}
	reconciler := &reconciler{
		Client:     manager.GetClient(),
		northflank: options.northflank,
		events:     &paced{recorder: manager.GetEventRecorder("northflank-operator.io/operator"), limit: eventLimit()},
	}
	// What only changes the status enqueues nothing.
	onSpec := builder.WithPredicates(predicate.GenerationChangedPredicate{})
	if err := ctrl.NewControllerManagedBy(manager).For(&NorthflankDeployment{}, onSpec).Complete(reconciler); err != nil {
		return err
	}
	return manager.Start(ctx)
}

// eventLimit is the operator's: 25 Events at once, and 5 per second.
func eventLimit() *rate.Limiter {
	return rate.NewLimiter(5, 25)
}

// paced drops Events that exceed a limit: the operator does not let Events slow down a burst of changes either.
type paced struct {
	recorder events.EventRecorder
	limit    *rate.Limiter
}

// Eventf implements events.EventRecorder.
func (p *paced) Eventf(regarding, related runtime.Object, kind, reason, action, note string, args ...any) {
	if p.limit.Allow() {
		p.recorder.Eventf(regarding, related, kind, reason, action, note, args...)
	}
}

var _ client.Object = &NorthflankDeployment{}

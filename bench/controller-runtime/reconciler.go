package main

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"reflect"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/tools/events"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/log"
)

// The intervals of the operator, by default.
const (
	firstPoll = 10 * time.Second
	lastPoll  = time.Minute
	resync    = 15 * time.Minute
)

const (
	phaseRollingOut = "RollingOut"
	phaseComplete   = "Complete"
	phaseFailed     = "Failed"
)

// reconciler brings a service to the declared image, and follows the rollout to its end.
type reconciler struct {
	client.Client
	northflank *northflank
	events     events.EventRecorder
}

// Reconcile reads, compares, writes where there is a difference, and stores what was found as conditions.
func (r *reconciler) Reconcile(ctx context.Context, request ctrl.Request) (ctrl.Result, error) {
	var object NorthflankDeployment
	if err := r.Get(ctx, request.NamespacedName, &object); err != nil {
		return ctrl.Result{}, client.IgnoreNotFound(err)
	}
	if object.Spec.Suspend || !object.DeletionTimestamp.IsZero() {
		return ctrl.Result{}, nil
	}
	if wait := untilDue(&object, time.Now()); wait > 0 {
		return ctrl.Result{RequeueAfter: wait}, nil
	}
	found, err := r.northflank.getService(ctx, object.Spec.ProjectID, object.Spec.ServiceID)
	if err != nil {
		return ctrl.Result{}, fmt.Errorf("read the service: %w", err)
	}
	if found.Deployment.External.ImagePath != image(&object) {
		return r.change(ctx, &object, found)
	}
	return r.follow(ctx, &object, found)
}

// untilDue is how long an object can rest that was reconciled at its generation.
func untilDue(object *NorthflankDeployment, now time.Time) time.Duration {
	next := object.Status.NextReconcileTime
	if object.Status.ObservedGeneration != object.Generation || next == nil {
		return 0
	}
	return next.Sub(now)
}

// change sends the declared source.
func (r *reconciler) change(ctx context.Context, object *NorthflankDeployment, found service) (ctrl.Result, error) {
	spec := object.Spec
	if err := r.northflank.deploy(ctx, spec.ProjectID, spec.ServiceID, spec.Deployment); err != nil {
		return ctrl.Result{}, fmt.Errorf("deploy: %w", err)
	}
	hash, err := specHash(spec.Deployment)
	if err != nil {
		return ctrl.Result{}, err
	}
	now := metav1.Now()
	before := found.Deployment.External.ImagePath
	sent := Change{
		SpecHash:               hash,
		Generation:             object.Generation,
		Source:                 image(object),
		Since:                  now,
		Cause:                  "SpecChanged",
		Phase:                  phaseRollingOut,
		Time:                   now,
		PreviousTransitionTime: found.Status.Deployment.LastTransitionTime,
		PreviousSource:         before,
	}
	note := fmt.Sprintf("Set the source to %s as declared (it was %s).", image(object), before)
	log.FromContext(ctx).Info("change applied", "image", image(object), "before", before)
	err = r.store(ctx, object, func(next *NorthflankDeployment) time.Duration {
		next.Status.Changes = []Change{sent}
		observe(next, found)
		rollingOut(next)
		return firstPoll
	})
	if err != nil {
		return ctrl.Result{}, err
	}
	r.events.Eventf(object, nil, corev1.EventTypeNormal, "ChangeApplied", "Apply", "%s", note)
	return ctrl.Result{RequeueAfter: firstPoll}, nil
}

// follow stores how far the rollout of a service is that has the declared source.
func (r *reconciler) follow(ctx context.Context, object *NorthflankDeployment, found service) (ctrl.Result, error) {
	change := lastChange(object)
	wasRolling := change != nil && change.Phase == phaseRollingOut
	rollout := found.Status.Deployment
	isOwn := !wasRolling || rollout.LastTransitionTime != change.PreviousTransitionTime
	var pause time.Duration
	var event func()
	err := r.store(ctx, object, func(next *NorthflankDeployment) time.Duration {
		observe(next, found)
		switch {
		case isOwn && rollout.Status == "COMPLETED":
			complete(next)
			pause = time.Duration(float64(resync) * (0.8 + 0.4*rand.Float64()))
			event = func() {
				took := time.Since(change.Time.Time).Round(time.Second)
				note := fmt.Sprintf("Northflank has %s, and the rollout is complete. It took %s.", image(object), took)
				log.FromContext(ctx).Info("rollout complete", "image", image(object), "took", took)
				r.events.Eventf(object, nil, corev1.EventTypeNormal, "RolloutComplete", "Observe", "%s", note)
			}
		case isOwn && rollout.Status == "FAILED":
			failed(next)
			pause = resync
			event = func() {
				log.FromContext(ctx).Info("rollout failed", "image", image(object))
				note := fmt.Sprintf("The rollout of %s failed.", image(object))
				r.events.Eventf(object, nil, corev1.EventTypeWarning, "RolloutFailed", "Observe", "%s", note)
			}
		default:
			rollingOut(next)
			pause = pollPause(change)
		}
		return pause
	})
	if err != nil {
		return ctrl.Result{}, err
	}
	if wasRolling && event != nil {
		event()
	}
	return ctrl.Result{RequeueAfter: pause}, nil
}

// store writes the status that set makes, unless nothing but the time of the next reconcile changes.
func (r *reconciler) store(
	ctx context.Context,
	object *NorthflankDeployment,
	set func(next *NorthflankDeployment) time.Duration,
) error {
	next := object.DeepCopy()
	next.Status.ObservedGeneration = object.Generation
	next.Status.Target = "service/" + object.Spec.ServiceID
	pause := set(next)
	if reflect.DeepEqual(object.Status, next.Status) {
		return nil
	}
	due := metav1.NewTime(time.Now().Add(pause).Truncate(time.Second))
	next.Status.NextReconcileTime = &due
	return r.Status().Patch(ctx, next, client.MergeFrom(object))
}

func observe(next *NorthflankDeployment, found service) {
	rollout := found.Status.Deployment
	instances := found.Deployment.Instances
	next.Status.TargetUID = found.UID
	next.Status.Image = image(next)
	next.Status.Observed = &Observed{
		Source:                ObservedSource{Kind: "External", Image: found.Deployment.External.ImagePath},
		RolloutStatus:         rollout.Status,
		RolloutReason:         rollout.Reason,
		RolloutTransitionTime: rollout.LastTransitionTime,
		ServicePaused:         instances != nil && *instances == 0,
	}
}

func rollingOut(next *NorthflankDeployment) {
	message := fmt.Sprintf("Northflank is rolling out %s.", image(next))
	condition(next, "Ready", metav1.ConditionUnknown, "RollingOut", message)
	condition(next, "Reconciling", metav1.ConditionTrue, "Progressing", message)
	accepted(next)
	condition(next, "RolloutComplete", metav1.ConditionUnknown, "RollingOut", "The rollout is not over.")
}

func complete(next *NorthflankDeployment) {
	message := fmt.Sprintf("Northflank has %s, and the rollout is complete.", image(next))
	ended(next, phaseComplete)
	condition(next, "Ready", metav1.ConditionTrue, "RolloutComplete", message)
	accepted(next)
	condition(next, "RolloutComplete", metav1.ConditionTrue, "RolloutComplete", "The rollout is complete.")
}

func failed(next *NorthflankDeployment) {
	message := fmt.Sprintf("The rollout of %s failed.", image(next))
	ended(next, phaseFailed)
	condition(next, "Ready", metav1.ConditionFalse, "RolloutFailed", message)
	accepted(next)
	condition(next, "RolloutComplete", metav1.ConditionFalse, "RolloutFailed", message)
}

func accepted(next *NorthflankDeployment) {
	condition(next, "Accepted", metav1.ConditionTrue, "Accepted", "The spec and its references are in order.")
	condition(next, "InSync", metav1.ConditionTrue, "InSync", fmt.Sprintf("Northflank has %s.", image(next)))
}

func ended(next *NorthflankDeployment, phase string) {
	meta.RemoveStatusCondition(&next.Status.Conditions, "Reconciling")
	if change := lastChange(next); change != nil && change.Phase != phase {
		change.Phase = phase
		change.Since = metav1.Now()
	}
}

func condition(next *NorthflankDeployment, kind string, status metav1.ConditionStatus, reason, message string) {
	meta.SetStatusCondition(&next.Status.Conditions, metav1.Condition{
		Type:               kind,
		Status:             status,
		Reason:             reason,
		Message:            message,
		ObservedGeneration: next.Generation,
	})
}

// pollPause grows with the age of the rollout.
func pollPause(change *Change) time.Duration {
	if change == nil {
		return lastPoll
	}
	return min(max(time.Since(change.Time.Time)/2, firstPoll), lastPoll)
}

func lastChange(object *NorthflankDeployment) *Change {
	if len(object.Status.Changes) == 0 {
		return nil
	}
	return &object.Status.Changes[0]
}

func image(object *NorthflankDeployment) string {
	return object.Spec.Deployment.External.ImagePath
}

func specHash(source Source) (string, error) {
	text, err := json.Marshal(source)
	if err != nil {
		return "", err
	}
	sum := sha256.Sum256(text)
	return hex.EncodeToString(sum[:16]), nil
}

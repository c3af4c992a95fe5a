package main

import (
	"slices"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
)

var groupVersion = schema.GroupVersion{Group: "northflank-operator.io", Version: "v1alpha1"}

// NorthflankDeployment has the fields of the kind that this program reads or writes.
type NorthflankDeployment struct {
	metav1.TypeMeta   `json:",inline"`
	metav1.ObjectMeta `json:"metadata"`

	Spec   DeploymentSpec   `json:"spec"`
	Status DeploymentStatus `json:"status,omitzero"`
}

type DeploymentSpec struct {
	ProjectID  string `json:"projectId"`
	ServiceID  string `json:"serviceId"`
	Deployment Source `json:"deployment"`
	Suspend    bool   `json:"suspend,omitempty"`
}

// Source is also the body of the request that changes a service.
type Source struct {
	External External `json:"external"`
	Docker   *Docker  `json:"docker,omitempty"`
}

type External struct {
	ImagePath   string `json:"imagePath"`
	Credentials string `json:"credentials,omitempty"`
}

type Docker struct {
	ConfigType string `json:"configType"`
}

type DeploymentStatus struct {
	ObservedGeneration int64              `json:"observedGeneration,omitempty"`
	Target             string             `json:"target,omitempty"`
	TargetUID          string             `json:"targetUid,omitempty"`
	Image              string             `json:"image,omitempty"`
	Observed           *Observed          `json:"observed,omitempty"`
	Changes            []Change           `json:"changes,omitempty"`
	Conditions         []metav1.Condition `json:"conditions,omitempty"`
	NextReconcileTime  *metav1.Time       `json:"nextReconcileTime,omitempty"`
}

// Observed is what the service was when it was last read.
type Observed struct {
	Source                ObservedSource `json:"source"`
	RolloutStatus         string         `json:"rolloutStatus,omitempty"`
	RolloutReason         string         `json:"rolloutReason,omitempty"`
	RolloutTransitionTime string         `json:"rolloutTransitionTime,omitempty"`
	ServicePaused         bool           `json:"servicePaused"`
}

type ObservedSource struct {
	Kind  string `json:"kind"`
	Image string `json:"image,omitempty"`
}

// Change is a request that was sent, and what became of it.
type Change struct {
	SpecHash               string      `json:"specHash"`
	Generation             int64       `json:"generation"`
	Source                 string      `json:"source"`
	Since                  metav1.Time `json:"since"`
	Cause                  string      `json:"cause"`
	Phase                  string      `json:"phase"`
	Time                   metav1.Time `json:"time"`
	PreviousTransitionTime string      `json:"previousTransitionTime,omitempty"`
	PreviousSource         string      `json:"previousSource,omitempty"`
}

type NorthflankDeploymentList struct {
	metav1.TypeMeta `json:",inline"`
	metav1.ListMeta `json:"metadata"`

	Items []NorthflankDeployment `json:"items"`
}

func addToScheme(scheme *runtime.Scheme) error {
	scheme.AddKnownTypes(groupVersion, &NorthflankDeployment{}, &NorthflankDeploymentList{})
	metav1.AddToGroupVersion(scheme, groupVersion)
	return nil
}

// DeepCopyObject implements runtime.Object, as controller-gen would.
func (in *NorthflankDeployment) DeepCopyObject() runtime.Object { return in.DeepCopy() }

// DeepCopy returns a copy that shares nothing with the receiver.
func (in *NorthflankDeployment) DeepCopy() *NorthflankDeployment {
	out := *in
	in.ObjectMeta.DeepCopyInto(&out.ObjectMeta)
	out.Spec.Deployment.Docker = clone(in.Spec.Deployment.Docker)
	out.Status.Observed = clone(in.Status.Observed)
	out.Status.Changes = slices.Clone(in.Status.Changes)
	out.Status.Conditions = slices.Clone(in.Status.Conditions)
	out.Status.NextReconcileTime = clone(in.Status.NextReconcileTime)
	return &out
}

// DeepCopyObject implements runtime.Object.
func (in *NorthflankDeploymentList) DeepCopyObject() runtime.Object {
	out := *in
	out.Items = make([]NorthflankDeployment, len(in.Items))
	for i := range in.Items {
		out.Items[i] = *in.Items[i].DeepCopy()
	}
	return &out
}

// clone copies a value that holds no references.
func clone[T any](in *T) *T {
	if in == nil {
		return nil
	}
	out := *in
	return &out
}

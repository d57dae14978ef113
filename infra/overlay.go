package main

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"

	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsssm"
	"github.com/aws/constructs-go/constructs/v10"
	"github.com/aws/jsii-runtime-go"
)

// overlay writes what kubernetes/base lacks of this installation, as the text
// of a kustomization.yaml: the variables of the functions, so that pods have
// the same stores and queues, and the stage's image, host and addresses. It has
// no secrets, and is kept where an operator in the network can read it.
func overlay(stack awscdk.Stack, scope constructs.Construct, stage Stage, f *Functions) {
	c := stage.Cluster
	text := stack.ToJsonString(map[string]any{
		"apiVersion": "kustomize.config.k8s.io/v1beta1", "kind": "Kustomization", "resources": []string{"../base"},
		"configMapGenerator": configMaps(stage, f),
		"patches": []any{
			replace("Deployment", "", map[string]string{"/spec/template/spec/containers/0/image": c.Image}),
			replace("Ingress", "webhook", map[string]string{
				"/spec/ingressClassName": c.IngressClass, "/spec/rules/0/host": c.Host, "/spec/tls/0/hosts/0": c.Host,
			}),
			replace("ClusterIssuer", "deskhand", map[string]string{
				"/spec/acme/email": c.ACMEEmail, "/spec/acme/solvers/0/http01/ingress/ingressClassName": c.IngressClass,
			}),
			replace("NetworkPolicy", "stores", map[string]string{"/spec/egress/0/to/0/ipBlock/cidr": vpcAddresses}),
		},
	}, jsii.Number(1))
	kept := awsssm.NewCfnParameter(scope, jsii.String("Overlay"), &awsssm.CfnParameterProps{
		Type: jsii.String("String"), Tier: jsii.String("Intelligent-Tiering"), Value: text, // over 4 KB it becomes an advanced one
		Name: jsii.String("/deskhand-" + stage.Name + "/kustomization"), Description: jsii.String("kustomization.yaml over infra/kubernetes/base"),
	})
	output(stack, "ClusterOverlay", "aws ssm get-parameter --name NAME: the kustomization.yaml over infra/kubernetes/base", kept.Ref())
}

// configMaps are those of the pods: one for all, and one for each
// process of what it has besides or otherwise.
func configMaps(stage Stage, f *Functions) []any {
	all := f.serving()
	all["AWS_REGION"] = jsii.String(stage.Region)
	list := []any{configMap("deskhand", all)}
	for _, one := range f.list() {
		own := maps.Clone(one.env)
		maps.DeleteFunc(own, func(name string, value *string) bool { return all[name] != nil && *all[name] == *value })
		if one.name != "migrate" && len(own) > 0 {
			list = append(list, configMap(one.name, own))
		}
	}
	return list
}

func configMap(name string, env map[string]*string) map[string]any {
	var lines []string
	for _, variable := range slices.Sorted(maps.Keys(env)) {
		lines = append(lines, fmt.Sprintf("%s=%s", variable, *env[variable]))
	}
	return map[string]any{"name": name, "namespace": namespace, "literals": lines}
}

// replace is a patch that puts other values into objects; an empty name is
// every object of the kind.
func replace(kind, name string, values map[string]string) map[string]any {
	target := map[string]string{"kind": kind}
	if name != "" {
		target["name"] = name
	}
	var patch []any
	for _, path := range slices.Sorted(maps.Keys(values)) {
		patch = append(patch, map[string]string{"op": "replace", "path": path, "value": values[path]})
	}
	text, _ := json.Marshal(patch) // strings alone
	return map[string]any{"target": target, "patch": string(text)}
}

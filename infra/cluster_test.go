package main

import (
	"slices"
	"strings"
	"testing"
)

func TestTheClusterIsAnOption(t *testing.T) {
	t.Parallel()
	stages, err := all()
	if err != nil {
		t.Fatal(err)
	}
	for name, s := range stages {
		for id, r := range s.Resources {
			if strings.HasPrefix(r.Type, "AWS::EKS::") && s.Stage.Cluster.Admin == "" {
				t.Errorf("stage %s has %s", name, id)
			}
		}
	}
	s := stages["options"]
	cluster := s.of(t, "AWS::EKS::Cluster")[0]
	cluster.want(t, map[string]any{
		"ResourcesVpcConfig.EndpointPublicAccess": false, "ResourcesVpcConfig.EndpointPrivateAccess": true, "ComputeConfig.Enabled": true,
		"KubernetesNetworkConfig.ElasticLoadBalancing.Enabled": true, "StorageConfig.BlockStorage.Enabled": true, "AccessConfig.AuthenticationMode": "API",
		"KubernetesNetworkConfig.ServiceIpv4Cidr": "172.20.0.0/16", // the policy "names" has its DNS
	})
	group := s.of(t, "AWS::EKS::Nodegroup")[0]
	group.want(t, map[string]any{"ScalingConfig": map[string]any{"DesiredSize": 3, "MaxSize": 9, "MinSize": 3}})
	group.want(t, map[string]any{"AmiType": "AL2023_x86_64_STANDARD"}) // what CI builds images for
	for _, subnet := range s.of(t, "AWS::EC2::Subnet") {
		public, tagged := strings.Contains(subnet.id, "public"), strings.Contains(subnet.text("Tags"), `{"Key":"kubernetes.io/role/elb","Value":"1"}`)
		if public != tagged {
			t.Errorf("%s is for load balancers: %v", subnet.id, tagged)
		}
	}
	if n := len(flatten(group.get("Subnets"))); n != 3 {
		t.Errorf("nodes in %d zones", n)
	}
	var names []string
	for _, a := range s.of(t, "AWS::EKS::Addon") {
		names = append(names, a.text("AddonName"))
		if a.text("AddonName") == "vpc-cni" {
			a.want(t, map[string]any{"ConfigurationValues": `{"enableNetworkPolicy":"true"}`})
		}
	}
	if !slices.Contains(names, "cert-manager") || !slices.Contains(names, "vpc-cni") {
		t.Errorf("add-ons %q", names)
	}
}

// TestPodsMayDoWhatTheFunctionsMay, but for what Lambda does for functions.
func TestPodsMayDoWhatTheFunctionsMay(t *testing.T) {
	t.Parallel()
	stages, err := all()
	if err != nil {
		t.Fatal(err)
	}
	s := stages["options"]
	pods := map[string][]string{}
	for _, p := range s.of(t, "AWS::EKS::PodIdentityAssociation") {
		p.want(t, map[string]any{"Namespace": namespace})
		for _, one := range s.statements(t, resource{Properties: map[string]any{"Role": p.get("RoleArn")}}) {
			pods[p.text("ServiceAccount")] = append(pods[p.text("ServiceAccount")], flat(one.Action)+flat(one.Resource)+flat(one.Condition))
		}
	}
	for name, f := range s.functions(t) {
		if name == "migrate" { // a deployment invokes the function
			continue
		}
		var want []string
		for _, one := range s.statements(t, f) {
			if first := flatten(one.Action)[0]; !strings.HasPrefix(first, "ec2:") && !strings.HasPrefix(first, "logs:") {
				want = append(want, flat(one.Action)+flat(one.Resource)+flat(one.Condition))
			}
		}
		slices.Sort(want)
		slices.Sort(pods[name])
		if !slices.Equal(want, pods[name]) {
			t.Errorf("%s: the pod may %q, the function %q", name, pods[name], want)
		}
	}
	if n := len(s.of(t, "AWS::EC2::SecurityGroupIngress")) - len(stages["prod"].of(t, "AWS::EC2::SecurityGroupIngress")); n != 3 {
		t.Errorf("pods reach %d services, want Postgres, Valkey and the endpoints", n)
	}
}

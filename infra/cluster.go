package main

import (
	"fmt"

	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsec2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awseks"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsiam"
	"github.com/aws/constructs-go/constructs/v10"
	"github.com/aws/jsii-runtime-go"
)

// namespace is where the manifests of infra/kubernetes put the product, with
// one service account for each process.
const namespace = "ai-agents"

const (
	clusterVersion = "1.34"
	leastNodes     = 3 // one in each zone; Auto Mode adds more as pods need them
	// serviceNetwork has the addresses of services; that of DNS, the tenth, is in
	// kubernetes/base/network.yaml.
	serviceNetwork = "172.20.0.0/16"
	// podConns are the connections to Postgres of all pods at their largest.
	podConns = 9*4 + 10*8 + 4*4 + 2*2*4
)

// NewCluster makes an EKS cluster on the same network, stores and queues, for
// those who run the product in Kubernetes. In Auto Mode, AWS runs what scales
// nodes, makes load balancers of Ingress objects and keeps network policies.
// Its pods may do what the functions may. Nothing is applied in it from here:
// its API is private. What an operator applies is infra/kubernetes/base with
// the overlay that is in output ClusterOverlay.
func NewCluster(stack awscdk.Stack, stage Stage, d *Deskhand) {
	scope := part(stack, "Cluster")
	master := prescribed(scope, "Control", "eks.amazonaws.com", "AmazonEKSClusterPolicy", "AmazonEKSComputePolicy",
		"AmazonEKSBlockStoragePolicy", "AmazonEKSLoadBalancingPolicy", "AmazonEKSNetworkingPolicy")
	nodes := prescribed(scope, "Nodes", "ec2.amazonaws.com", "AmazonEKSWorkerNodePolicy", "AmazonEC2ContainerRegistryPullOnly", "AmazonEKS_CNI_Policy")
	subnets := d.Network.VPC.SelectSubnets(d.Network.OpenSubnets).SubnetIds
	cluster := awseks.NewCfnCluster(scope, jsii.String("Eks"), &awseks.CfnClusterProps{
		Name: jsii.String("deskhand-" + stage.Name), Version: jsii.String(clusterVersion), RoleArn: master.RoleArn(), BootstrapSelfManagedAddons: false,
		ResourcesVpcConfig: &awseks.CfnCluster_ResourcesVpcConfigProperty{SubnetIds: subnets, EndpointPrivateAccess: true, EndpointPublicAccess: false},
		AccessConfig:       &awseks.CfnCluster_AccessConfigProperty{AuthenticationMode: jsii.String("API"), BootstrapClusterCreatorAdminPermissions: false},
		ComputeConfig: &awseks.CfnCluster_ComputeConfigProperty{
			Enabled: true, NodePools: jsii.Strings("general-purpose", "system"), NodeRoleArn: nodes.RoleArn(),
		},
		KubernetesNetworkConfig: &awseks.CfnCluster_KubernetesNetworkConfigProperty{
			ElasticLoadBalancing: &awseks.CfnCluster_ElasticLoadBalancingProperty{Enabled: true}, ServiceIpv4Cidr: jsii.String(serviceNetwork),
		},
		StorageConfig: &awseks.CfnCluster_StorageConfigProperty{BlockStorage: &awseks.CfnCluster_BlockStorageProperty{Enabled: true}},
		EncryptionConfig: []*awseks.CfnCluster_EncryptionConfigProperty{{
			Provider: &awseks.CfnCluster_ProviderProperty{KeyArn: d.Data.DataKey.KeyArn()}, Resources: jsii.Strings("secrets"),
		}},
		Logging: &awseks.CfnCluster_LoggingProperty{ClusterLogging: &awseks.CfnCluster_ClusterLoggingProperty{EnabledTypes: controlLogs()}},
	})
	ids := make([]any, 0, len(*subnets))
	for _, id := range *subnets {
		ids = append(ids, id)
	}
	awseks.NewCfnNodegroup(scope, jsii.String("Always"), &awseks.CfnNodegroupProps{
		ClusterName: cluster.Ref(), NodeRole: nodes.RoleArn(), Subnets: &ids, AmiType: jsii.String("AL2023_x86_64_STANDARD"), InstanceTypes: jsii.Strings("m7i.large"),
		ScalingConfig: &awseks.CfnNodegroup_ScalingConfigProperty{MinSize: jsii.Number(leastNodes), DesiredSize: jsii.Number(leastNodes), MaxSize: jsii.Number(3 * leastNodes)},
	})
	addons(scope, cluster)
	awseks.NewCfnAccessEntry(scope, jsii.String("Administrator"), &awseks.CfnAccessEntryProps{
		ClusterName: cluster.Ref(), PrincipalArn: jsii.String(stage.Cluster.Admin),
		AccessPolicies: []*awseks.CfnAccessEntry_AccessPolicyProperty{{
			PolicyArn: jsii.String("arn:aws:eks::aws:cluster-access-policy/AmazonEKSClusterAdminPolicy"), AccessScope: &awseks.CfnAccessEntry_AccessScopeProperty{Type: jsii.String("cluster")},
		}},
	})
	d.Network.admit(scope, cluster.AttrClusterSecurityGroupId())
	for _, subnet := range *d.Network.VPC.PublicSubnets() {
		awscdk.Tags_Of(subnet).Add(jsii.String("kubernetes.io/role/elb"), jsii.String("1"), nil) // where load balancers may be
	}
	for _, one := range d.Functions.list() {
		if one.name != "migrate" { // it is a function here, too
			pod(scope, cluster, one)
		}
	}
	overlay(stack, scope, stage, d.Functions)
	output(stack, "ClusterName", "aws eks update-kubeconfig --name NAME, from inside the VPC", cluster.Ref())
}

// prescribed makes a role of the policies that AWS prescribes for a service.
func prescribed(scope constructs.Construct, name, service string, policies ...string) awsiam.Role {
	var managed []awsiam.IManagedPolicy
	for _, p := range policies {
		managed = append(managed, awsiam.ManagedPolicy_FromAwsManagedPolicyName(jsii.String(p)))
	}
	r := awsiam.NewRole(scope, jsii.String(name), &awsiam.RoleProps{
		AssumedBy: awsiam.NewSessionTagsPrincipal(awsiam.NewServicePrincipal(jsii.String(service), nil)), ManagedPolicies: &managed,
	})
	accept(r, "IAM4", "The policies that AWS prescribes for EKS; they change with its releases")
	return r
}

func controlLogs() []*awseks.CfnCluster_LoggingTypeConfigProperty {
	var types []*awseks.CfnCluster_LoggingTypeConfigProperty
	for _, t := range []string{"api", "audit", "authenticator", "controllerManager", "scheduler"} {
		types = append(types, &awseks.CfnCluster_LoggingTypeConfigProperty{Type: jsii.String(t)})
	}
	return types
}

// addons are what the nodes of the group need, and cert-manager.
func addons(scope constructs.Construct, cluster awseks.CfnCluster) {
	for _, a := range []struct{ name, settings string }{
		{"vpc-cni", `{"enableNetworkPolicy":"true"}`}, {"kube-proxy", ""}, {"coredns", ""}, {"eks-pod-identity-agent", ""}, {"metrics-server", ""}, {"cert-manager", ""},
	} {
		props := &awseks.CfnAddonProps{ClusterName: cluster.Ref(), AddonName: jsii.String(a.name), ResolveConflicts: jsii.String("OVERWRITE")}
		if a.settings != "" {
			props.ConfigurationValues = jsii.String(a.settings)
		}
		awseks.NewCfnAddon(scope, jsii.String(a.name), props)
	}
}

// pod lets the service account of a process do what the function may.
func pod(scope constructs.Construct, cluster awseks.CfnCluster, one function) {
	r := awsiam.NewRole(scope, jsii.String("Pod-"+one.name), &awsiam.RoleProps{
		AssumedBy: awsiam.NewSessionTagsPrincipal(awsiam.NewServicePrincipal(jsii.String("pods.eks.amazonaws.com"), nil)),
	})
	awsiam.NewPolicy(scope, jsii.String("PodPolicy-"+one.name), &awsiam.PolicyProps{Roles: &[]awsiam.IRole{r}, Statements: &one.may})
	awseks.NewCfnPodIdentityAssociation(scope, jsii.String("PodIdentity-"+one.name), &awseks.CfnPodIdentityAssociationProps{
		ClusterName: cluster.Ref(), Namespace: jsii.String(namespace), ServiceAccount: jsii.String(one.name), RoleArn: r.RoleArn(),
	})
}

// admit lets another security group reach what the functions reach.
func (n *Network) admit(scope constructs.Construct, group *string) {
	for i, service := range n.services {
		awsec2.NewCfnSecurityGroupIngress(scope, jsii.String(fmt.Sprintf("Admit%d", i+1)), &awsec2.CfnSecurityGroupIngressProps{
			GroupId: service.group.SecurityGroupId(), SourceSecurityGroupId: group, IpProtocol: jsii.String("tcp"),
			FromPort: jsii.Number(service.port), ToPort: jsii.Number(service.port), Description: jsii.String("pods to " + service.name),
		})
	}
}

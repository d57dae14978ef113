package main

import (
	"fmt"
	"strings"

	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsec2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awslogs"
	"github.com/aws/constructs-go/constructs/v10"
	"github.com/aws/jsii-runtime-go"
)

// Network is a VPC over three zones. Open functions leave it by NAT, from
// fixed addresses; closed ones reach the stores and, through endpoints, the
// services of AWS that they call, and have no route to anywhere else.
type Network struct {
	VPC awsec2.Vpc
	// OpenSubnets have a route out by NAT, ClosedSubnets none.
	OpenSubnets, ClosedSubnets *awsec2.SubnetSelection
	// Open and Closed are the security groups of functions.
	Open, Closed awsec2.SecurityGroup

	services []service // what they reach in the VPC
}

// service is a port behind a security group.
type service struct {
	name  string
	group awsec2.SecurityGroup
	port  int
}

// vpcAddresses are those of the whole network; clients' must not overlap.
const vpcAddresses = "10.40.0.0/16"

// ports that functions may reach in the VPC.
const (
	httpsPort    = 443
	postgresPort = 5432
	cachePort    = 6379
)

// NewNetwork makes the VPC, its fixed addresses, endpoints and flow logs.
func NewNetwork(stack awscdk.Stack, stage Stage) *Network {
	scope := part(stack, "Network")
	addresses, provider := fixedAddresses(scope, stage.NATGateways)
	n := &Network{
		OpenSubnets:   &awsec2.SubnetSelection{SubnetGroupName: jsii.String("open")},
		ClosedSubnets: &awsec2.SubnetSelection{SubnetGroupName: jsii.String("closed")},
	}
	n.VPC = awsec2.NewVpc(scope, jsii.String("Vpc"), &awsec2.VpcProps{
		IpAddresses: awsec2.IpAddresses_Cidr(jsii.String(vpcAddresses)), AvailabilityZones: jsii.Strings(stage.Zones...),
		NatGateways: jsii.Number(stage.NATGateways), NatGatewayProvider: provider,
		SubnetConfiguration: &[]*awsec2.SubnetConfiguration{
			{Name: jsii.String("public"), SubnetType: awsec2.SubnetType_PUBLIC, CidrMask: jsii.Number(24), MapPublicIpOnLaunch: jsii.Bool(false)},
			{Name: jsii.String("open"), SubnetType: awsec2.SubnetType_PRIVATE_WITH_EGRESS, CidrMask: jsii.Number(20)},
			{Name: jsii.String("closed"), SubnetType: awsec2.SubnetType_PRIVATE_ISOLATED, CidrMask: jsii.Number(20)},
		},
	})
	n.VPC.AddFlowLog(jsii.String("Flow"), &awsec2.FlowLogOptions{
		TrafficType: awsec2.FlowLogTrafficType_REJECT,
		Destination: awsec2.FlowLogDestination_ToCloudWatchLogs(logGroup(scope, "FlowLog"), nil),
	})
	n.Open = awsec2.NewSecurityGroup(scope, jsii.String("Open"), &awsec2.SecurityGroupProps{
		Vpc: n.VPC, AllowAllOutbound: jsii.Bool(true), Description: jsii.String("Functions that call tools and models, which may be anywhere"),
	})
	n.Closed = awsec2.NewSecurityGroup(scope, jsii.String("Closed"), &awsec2.SecurityGroupProps{
		Vpc: n.VPC, AllowAllOutbound: jsii.Bool(false), Description: jsii.String("Functions that reach the stores and endpoints of this VPC alone"),
	})
	n.endpoints(scope)
	output(stack, "Addresses", "The addresses that clients' firewalls see: those of the NAT gateways", jsii.String(strings.Join(addresses, ",")))
	return n
}

// fixedAddresses makes the addresses of the NAT gateways, which are kept when
// the stack goes, because clients' firewalls know them.
func fixedAddresses(scope constructs.Construct, n int) ([]string, awsec2.NatProvider) {
	var addresses []string
	var ids []*string
	for i := range n {
		ip := awsec2.NewCfnEIP(scope, jsii.String(fmt.Sprintf("Address%d", i+1)), &awsec2.CfnEIPProps{Domain: jsii.String("vpc")})
		ip.ApplyRemovalPolicy(awscdk.RemovalPolicy_RETAIN, nil)
		addresses = append(addresses, *ip.AttrPublicIp())
		ids = append(ids, ip.AttrAllocationId())
	}
	return addresses, awsec2.NatProvider_Gateway(&awsec2.NatGatewayProps{EipAllocationIds: &ids})
}

// endpoints are what closed functions call of AWS. Their logs are not among
// it: Lambda itself carries what they print.
func (n *Network) endpoints(scope constructs.Construct) {
	group := awsec2.NewSecurityGroup(scope, jsii.String("Endpoints"), &awsec2.SecurityGroupProps{
		Vpc: n.VPC, AllowAllOutbound: jsii.Bool(false), Description: jsii.String("Endpoints of SQS, Secrets Manager and KMS"),
	})
	n.reach(group, httpsPort, "the services of AWS")
	for _, e := range []struct {
		name    string
		service awsec2.IInterfaceVpcEndpointService
	}{
		{"Sqs", awsec2.InterfaceVpcEndpointAwsService_SQS()},
		{"Secrets", awsec2.InterfaceVpcEndpointAwsService_SECRETS_MANAGER()},
		{"Kms", awsec2.InterfaceVpcEndpointAwsService_KMS()},
	} {
		n.VPC.AddInterfaceEndpoint(jsii.String(e.name), &awsec2.InterfaceVpcEndpointOptions{
			Service: e.service, Subnets: n.ClosedSubnets, SecurityGroups: &[]awsec2.ISecurityGroup{group}, Open: jsii.Bool(false), PrivateDnsEnabled: jsii.Bool(true),
		})
	}
}

// reach lets both kinds of functions reach a port of what is in group.
func (n *Network) reach(group awsec2.SecurityGroup, port int, what string) {
	n.services = append(n.services, service{what, group, port})
	for _, from := range []awsec2.SecurityGroup{n.Open, n.Closed} {
		group.AddIngressRule(from, awsec2.Port_Tcp(jsii.Number(port)), jsii.String("functions to "+what), nil)
	}
	n.Closed.AddEgressRule(group, awsec2.Port_Tcp(jsii.Number(port)), jsii.String("to "+what), nil)
}

// logDays is how long every log is kept.
const logDays = awslogs.RetentionDays_THREE_MONTHS

// logGroup makes a log that goes with the stack.
func logGroup(scope constructs.Construct, name string) awslogs.LogGroup {
	return awslogs.NewLogGroup(scope, jsii.String(name), &awslogs.LogGroupProps{Retention: logDays, RemovalPolicy: awscdk.RemovalPolicy_DESTROY})
}

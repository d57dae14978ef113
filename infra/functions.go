package main

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsec2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsiam"
	"github.com/aws/aws-cdk-go/awscdk/v2/awslambda"
	"github.com/aws/aws-cdk-go/awscdk/v2/awssecretsmanager"
	"github.com/aws/aws-cdk-go/awscdk/v2/awssqs"
	"github.com/aws/aws-cdk-go/awscdk/v2/triggers"
	"github.com/aws/constructs-go/constructs/v10"
	"github.com/aws/jsii-runtime-go"
)

// How long one invocation may take.
const (
	webhookLimit   = 10 * time.Second
	enhanceLimit   = 140 * time.Second
	catalogueLimit = 11 * time.Minute
	adminLimit     = 2 * time.Minute // for a command; API Gateway itself waits for 29 s
	migrateLimit   = 10 * time.Minute
)

const (
	// databaseConns is DATABASE_CONNS: an instance works on one thing at a time.
	databaseConns = 2
	// migrateConns are those of migrate, which has three roles.
	migrateConns = 3 * databaseConns
)

// Functions are the Lambda functions, by the name of their folder.
type Functions struct {
	All map[string]awslambda.Function

	scope       constructs.Construct
	address     *string // PUBLIC_URL; nil before there is an API
	certificate awslambda.LayerVersion
	stage       Stage
	network     *Network
	data        *Data
	queues      *Queues
}

// function is what makes one function different from the others.
type function struct {
	name        string
	timeout     time.Duration
	memory      int // MB; processor time goes with it
	concurrency int
	open        bool // leaves the VPC by NAT
	env         map[string]*string
	may         []awsiam.PolicyStatement
}

// NewFunctions makes the functions. migrate is called in each deployment that
// changes code or the stage, and the others get their new code after that.
func NewFunctions(stack awscdk.Stack, stage Stage, n *Network, d *Data, q *Queues) *Functions {
	f := &Functions{All: map[string]awslambda.Function{}, scope: part(stack, "Functions"), stage: stage, network: n, data: d, queues: q}
	f.certificate = awslambda.NewLayerVersion(f.scope, jsii.String("Certificates"), &awslambda.LayerVersionProps{
		Code: awslambda.Code_FromAsset(jsii.String("certificates"), nil), Description: jsii.String("The certificate authorities of Amazon RDS, in /opt/rds.pem"),
		CompatibleArchitectures: &[]awslambda.Architecture{awslambda.Architecture_ARM_64()},
	})
	var served []constructs.Construct
	for _, one := range f.list() {
		made := f.make(one)
		f.All[one.name] = made
		if one.name != "migrate" {
			served = append(served, made)
		}
	}
	f.migration(served)
	f.source("enhance", q.Enhancement, stage.Concurrency.Enhance)
	f.source("catalogue", q.Catalogue, stage.Concurrency.Catalogue)
	output(stack, "AdminFunction", "deskhand --function NAME sends the operator's commands here", f.All["admin"].FunctionName())
	return f
}

// migration calls migrate before served get their new code. By itself a
// Trigger looks at the code of migrate alone, so it is told what is deployed.
func (f *Functions) migration(served []constructs.Construct) {
	d := f.data
	trigger := triggers.NewTrigger(f.scope, jsii.String("Migration"), &triggers.TriggerProps{
		Handler: f.All["migrate"], Timeout: duration(migrateLimit), ExecuteBefore: &served,
	})
	trigger.Node().AddDependency(f.network.VPC, d.Postgres, d.Owner, d.AppUser, d.AdminUser, d.Application)
	resource := trigger.Node().DefaultChild().Node().DefaultChild().(awscdk.CfnResource)
	resource.AddPropertyOverride(jsii.String("Deployed"), deployed(built, f.stage))
}

// built is where make build puts the functions.
const built = "../bin/lambda"

// deployed is a digest of the functions in folder and of the stage. A function
// that cannot be read fails by itself.
func deployed(folder string, stage Stage) string {
	sum := sha256.New()
	fmt.Fprintln(sum, stage)
	files, _ := filepath.Glob(folder + "/*/bootstrap") // the pattern is well formed
	for _, file := range files {
		code, _ := os.ReadFile(file) //nolint:gosec // one of make build's
		fmt.Fprintf(sum, "%s %x\n", file, sha256.Sum256(code))
	}
	return hex.EncodeToString(sum.Sum(nil))
}

// list is every function with what it may do. What is not here, none can.
func (f *Functions) list() []function {
	d, q, c := f.data, f.queues, f.stage.Concurrency
	serving := f.serving()
	model := with(serving, "SECRETS", d.Application.SecretArn(), d.Model.SecretArn())
	// admin_user alone administers: nothing that faces the internet or a tool has it.
	desk := with(with(serving, "DATABASE_ADMIN_URL", d.postgresURL()), "DATABASE_ADMIN_SECRET", d.AdminUser.SecretArn())
	noting := model
	if f.address != nil {
		noting = with(model, publicURL, f.address)
	}
	secrets, asking := f.read(d.Application, d.AppUser, d.CacheUser), f.read(d.Application, d.AppUser, d.CacheUser, d.Model)
	receive := []string{"ReceiveMessage", "DeleteMessage", "ChangeMessageVisibility", "GetQueueAttributes", "SendMessage"}
	return []function{
		{
			name: "webhook", timeout: webhookLimit, memory: 512, concurrency: c.Webhook, env: serving,
			may: append(slices.Clone(secrets), f.seal("Decrypt"), on([]string{"SendMessage"}, q.Enhancement, q.Catalogue)),
		},
		{
			name: "enhance", timeout: enhanceLimit, memory: 1024, concurrency: c.Enhance, open: true, env: noting,
			may: append(slices.Clone(asking), f.seal("Decrypt"),
				on(receive, q.Enhancement), on([]string{"SendMessage"}, q.EnhancementDead)),
		},
		{
			name: "catalogue", timeout: catalogueLimit, memory: 1024, concurrency: c.Catalogue, open: true, env: model,
			may: append(slices.Clone(asking), f.seal("Decrypt"), on(receive, q.Catalogue), on([]string{"SendMessage"}, q.CatalogueDead)),
		},
		{
			name: "admin", timeout: adminLimit, memory: 512, concurrency: c.Admin, open: true, env: desk,
			may: append(f.read(d.Application, d.AppUser, d.AdminUser, d.CacheUser), f.seal("Decrypt"), on(receive, q.Enhancement, q.EnhancementDead, q.Catalogue, q.CatalogueDead)),
		},
		{
			name: "migrate", timeout: migrateLimit, memory: 512, concurrency: 1,
			env: map[string]*string{
				"DATABASE_URL": d.postgresURL(), "DATABASE_SECRET": d.AppUser.SecretArn(),
				"DATABASE_ADMIN_URL": d.postgresURL(), "DATABASE_ADMIN_SECRET": d.AdminUser.SecretArn(),
				"DATABASE_OWNER_URL": d.postgresURL(), "DATABASE_OWNER_SECRET": d.Owner.SecretArn(),
				"SECRETS": d.Application.SecretArn(), "SEALING_KMS_KEY": d.SealingKey.KeyArn(),
				"DATABASE_CONNS": jsii.String(fmt.Sprint(databaseConns)),
			},
			may: append(append(f.read(d.Application, d.AppUser, d.AdminUser, d.Owner), f.write(d.Application)...), f.seal("Decrypt", "Encrypt")),
		},
	}
}

// publicURL is the variable that the links at a note's foot begin with.
const publicURL = "PUBLIC_URL"

// reachedAt says where browsers reach the installation, where the stage does not.
func (f *Functions) reachedAt(url *string) {
	if f.stage.Environment[publicURL] == "" {
		f.address = url
		f.All["enhance"].AddEnvironment(jsii.String(publicURL), url, nil)
	}
}

// serving is the environment of every function but migrate.
func (f *Functions) serving() map[string]*string {
	d, q := f.data, f.queues
	env := map[string]*string{
		"DATABASE_URL": d.postgresURL(), "DATABASE_SECRET": d.AppUser.SecretArn(), "DATABASE_CONNS": jsii.String(fmt.Sprint(databaseConns)),
		"REDIS_URL": d.cacheURL(), "REDIS_SECRET": d.CacheUser.SecretArn(),
		"QUEUE_URL": q.Enhancement.QueueUrl(), "QUEUE_DEAD_URL": q.EnhancementDead.QueueUrl(),
		"CATALOGUE_QUEUE_URL": q.Catalogue.QueueUrl(), "CATALOGUE_QUEUE_DEAD_URL": q.CatalogueDead.QueueUrl(),
		"SECRETS": d.Application.SecretArn(), "SEALING_KMS_KEY": d.SealingKey.KeyArn(),
	}
	for name, value := range f.stage.Environment {
		env[name] = jsii.String(value)
	}
	return env
}

// with is env with another value, which may be a list.
func with(env map[string]*string, name string, values ...*string) map[string]*string {
	list := make([]string, len(values))
	for i, v := range values {
		list[i] = *v
	}
	other := maps.Clone(env)
	other[name] = jsii.String(strings.Join(list, ","))
	return other
}

// make makes a function with a role and a log of its own.
func (f *Functions) make(one function) awslambda.Function {
	name := strings.ToUpper(one.name[:1]) + one.name[1:]
	subnets, group := f.network.ClosedSubnets, f.network.Closed
	if one.open {
		subnets, group = f.network.OpenSubnets, f.network.Open
	}
	log := logGroup(f.scope, name+"Log")
	may := append(slices.Clone(one.may), allow([]string{"logs:CreateLogStream", "logs:PutLogEvents"}, log.LogGroupArn()))
	made := awslambda.NewFunction(f.scope, jsii.String(name+"Function"), &awslambda.FunctionProps{
		Runtime: awslambda.Runtime_PROVIDED_AL2023(), Architecture: awslambda.Architecture_ARM_64(), Handler: jsii.String("bootstrap"),
		Code: awslambda.Code_FromAsset(jsii.String(built+"/"+one.name), nil), Layers: &[]awslambda.ILayerVersion{f.certificate},
		Description: jsii.String("Deskhand " + one.name + " (" + f.stage.Name + ")"), Environment: &one.env, Timeout: duration(one.timeout),
		MemorySize: jsii.Number(one.memory), ReservedConcurrentExecutions: jsii.Number(one.concurrency), LogGroup: log,
		Role: role(f.scope, name, may), Vpc: f.network.VPC, VpcSubnets: subnets, SecurityGroups: &[]awsec2.ISecurityGroup{group},
	})
	accept(made, "L1", "A custom runtime: the function is a program of its own")
	return made
}

// network interfaces are made by Lambda with the function's role; the function
// itself may not.
var interfaces = []string{
	"ec2:CreateNetworkInterface", "ec2:DeleteNetworkInterface", "ec2:DescribeNetworkInterfaces", "ec2:DescribeSubnets",
	"ec2:AssignPrivateIpAddresses", "ec2:UnassignPrivateIpAddresses",
}

// role makes the role of a function: it may do this, and nothing else.
func role(scope constructs.Construct, name string, may []awsiam.PolicyStatement) awsiam.Role {
	r := awsiam.NewRole(scope, jsii.String(name+"Role"), &awsiam.RoleProps{
		AssumedBy: awsiam.NewServicePrincipal(jsii.String("lambda.amazonaws.com"), nil),
	})
	may = append(may, allow(interfaces, jsii.String("*")), awsiam.NewPolicyStatement(&awsiam.PolicyStatementProps{
		Effect: awsiam.Effect_DENY, Actions: jsii.Strings(interfaces...), Resources: jsii.Strings("*"),
		Conditions: &map[string]any{"Null": map[string]string{"lambda:SourceFunctionArn": "false"}},
	}))
	// A part of the role, so that the function waits for it: Lambda looks at
	// once whether it may make network interfaces.
	policy := awsiam.NewPolicy(r, jsii.String("Policy"), &awsiam.PolicyProps{Roles: &[]awsiam.IRole{r}, Statements: &may})
	accept(policy, "IAM5", "Network interfaces have no name before Lambda makes them; calls of the function's own code are denied", "Resource::*")
	return r
}

// source has a function work on a queue, so many messages at a time.
func (f *Functions) source(name string, queue awssqs.Queue, concurrency int) {
	awslambda.NewEventSourceMapping(f.scope, jsii.String(name+"Source"), &awslambda.EventSourceMappingProps{
		Target: f.All[name], EventSourceArn: queue.QueueArn(), BatchSize: jsii.Number(1), ReportBatchItemFailures: jsii.Bool(true),
		MaxConcurrency: jsii.Number(concurrency),
	})
}

// read allows to read secrets, which the data key encrypts.
func (f *Functions) read(secrets ...awssecretsmanager.ISecret) []awsiam.PolicyStatement {
	arns := make([]*string, len(secrets))
	for i, s := range secrets {
		arns[i] = s.SecretArn()
	}
	return []awsiam.PolicyStatement{
		allow([]string{"secretsmanager:GetSecretValue"}, arns...),
		awsiam.NewPolicyStatement(&awsiam.PolicyStatementProps{
			Actions: jsii.Strings("kms:Decrypt"), Resources: &[]*string{f.data.DataKey.KeyArn()}, Conditions: f.forSecrets(),
		}),
	}
}

// write allows to put a value into a secret.
func (f *Functions) write(secret awssecretsmanager.ISecret) []awsiam.PolicyStatement {
	return []awsiam.PolicyStatement{
		allow([]string{"secretsmanager:PutSecretValue"}, secret.SecretArn()),
		awsiam.NewPolicyStatement(&awsiam.PolicyStatementProps{
			Actions: jsii.Strings("kms:GenerateDataKey"), Resources: &[]*string{f.data.DataKey.KeyArn()}, Conditions: f.forSecrets(),
		}),
	}
}

// forSecrets holds where Secrets Manager uses a key for the caller.
func (f *Functions) forSecrets() *map[string]any {
	return &map[string]any{"StringEquals": map[string]string{"kms:ViaService": "secretsmanager." + f.stage.Region + ".amazonaws.com"}}
}

// seal allows to use the sealing key.
func (f *Functions) seal(operations ...string) awsiam.PolicyStatement {
	actions := make([]string, len(operations))
	for i, o := range operations {
		actions[i] = "kms:" + o
	}
	return allow(actions, f.data.SealingKey.KeyArn())
}

// on allows operations on queues.
func on(operations []string, queues ...awssqs.Queue) awsiam.PolicyStatement {
	actions, arns := make([]string, len(operations)), make([]*string, len(queues))
	for i, o := range operations {
		actions[i] = "sqs:" + o
	}
	for i, q := range queues {
		arns[i] = q.QueueArn()
	}
	return allow(actions, arns...)
}

func allow(actions []string, resources ...*string) awsiam.PolicyStatement {
	return awsiam.NewPolicyStatement(&awsiam.PolicyStatementProps{Actions: jsii.Strings(actions...), Resources: &resources})
}

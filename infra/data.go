package main

import (
	"fmt"

	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsec2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awselasticache"
	"github.com/aws/aws-cdk-go/awscdk/v2/awskms"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsrds"
	"github.com/aws/aws-cdk-go/awscdk/v2/awssecretsmanager"
	"github.com/aws/constructs-go/constructs/v10"
	"github.com/aws/jsii-runtime-go"
)

// Data is what keeps data: Postgres, Valkey, the secrets and the keys.
type Data struct {
	// DataKey encrypts the stores and the secrets, SealingKey the keyset that
	// seals tenants' credentials.
	DataKey, SealingKey awskms.Key
	Postgres            awsrds.DatabaseInstance
	Cache               awselasticache.CfnReplicationGroup
	// Application has SEALING_KEY, Model has OPENAI_API_KEY.
	Application, Model awssecretsmanager.ISecret
	// Owner, AppUser, AdminUser and CacheUser have user and password of a store.
	Owner, AppUser, AdminUser, CacheUser awssecretsmanager.ISecret
}

const (
	database     = "deskhand"
	rotationDays = 30
	rotated      = "It is rotated, each month: the schedule is on the secret's attachment to the database"
	// snapshotDays is how long the snapshots of the cache are kept.
	snapshotDays = 7
	// cacheAccess is what the functions do in Valkey: values, limits by script,
	// and a scan to forget a tenant.
	cacheAccess = "on ~* -@all +@read +@write +@connection +@scripting -@dangerous +scan"
)

// NewData makes the stores, reachable from the functions alone.
func NewData(stack awscdk.Stack, stage Stage, n *Network) *Data {
	scope := part(stack, "Data")
	d := &Data{
		DataKey:    key(scope, "DataKey", "Deskhand's database, cache and secrets ("+stage.Name+")"),
		SealingKey: key(scope, "SealingKey", "Deskhand's keyset, which seals tenants' credentials ("+stage.Name+")"),
	}
	// A change of these two lines gives the secrets a new value: what is in
	// them is put there later, by the function migrate and by an operator.
	d.Application = d.secret(scope, "Application", `{"SEALING_KEY":""}`)
	d.Model = d.secret(scope, "Model", `{"OPENAI_API_KEY":""}`)
	d.postgres(scope, stage, n)
	d.valkey(scope, stage, n)
	output(stack, "ModelSecret", "Put {\"OPENAI_API_KEY\":\"...\"} here: without it notes are written from the evidence alone", d.Model.SecretArn())
	return d
}

// key makes a KMS key with rotation. It is kept when the stack goes: without
// it, no backup opens.
func key(scope constructs.Construct, name, description string) awskms.Key {
	return awskms.NewKey(scope, jsii.String(name), &awskms.KeyProps{
		Description: jsii.String(description), EnableKeyRotation: jsii.Bool(true), RemovalPolicy: awscdk.RemovalPolicy_RETAIN,
	})
}

// secret makes a secret that is kept when the stack goes, with a first value.
func (d *Data) secret(scope constructs.Construct, name, first string) awssecretsmanager.ISecret {
	s := awssecretsmanager.NewSecret(scope, jsii.String(name), &awssecretsmanager.SecretProps{
		EncryptionKey: d.DataKey, RemovalPolicy: awscdk.RemovalPolicy_RETAIN,
		SecretStringValue: awscdk.SecretValue_UnsafePlainText(jsii.String(first)), // no secret: the value is empty
	})
	accept(s, "SMG4", "No service of AWS can rotate it: docs/runbooks/secrets.md says how an operator does")
	return s
}

// postgres makes the database, and rotates the passwords of its three users.
// The first rotation is a month away: until migrate has run there is the owner
// alone.
func (d *Data) postgres(scope constructs.Construct, stage Stage, n *Network) {
	group := awsec2.NewSecurityGroup(scope, jsii.String("PostgresGroup"), &awsec2.SecurityGroupProps{
		Vpc: n.VPC, AllowAllOutbound: jsii.Bool(false), Description: jsii.String("Postgres"),
	})
	n.reach(group, postgresPort, "Postgres")
	engine := awsrds.DatabaseInstanceEngine_Postgres(&awsrds.PostgresInstanceEngineProps{
		// The major version alone: RDS brings the minor ones.
		Version: awsrds.PostgresEngineVersion_Of(jsii.String("17"), jsii.String("17"), nil),
	})
	removal := awscdk.RemovalPolicy_SNAPSHOT
	d.Postgres = awsrds.NewDatabaseInstance(scope, jsii.String("Postgres"), &awsrds.DatabaseInstanceProps{
		Engine: engine, InstanceType: awsec2.NewInstanceType(jsii.String(stage.Database.Class)),
		Vpc: n.VPC, VpcSubnets: n.ClosedSubnets, SecurityGroups: &[]awsec2.ISecurityGroup{group},
		MultiAz: jsii.Bool(true), DatabaseName: jsii.String(database),
		AllocatedStorage: jsii.Number(stage.Database.StorageGiB), MaxAllocatedStorage: jsii.Number(10 * stage.Database.StorageGiB),
		StorageType: awsrds.StorageType_GP3, StorageEncrypted: jsii.Bool(true), StorageEncryptionKey: d.DataKey,
		Credentials:     awsrds.Credentials_FromGeneratedSecret(jsii.String("deskhand"), &awsrds.CredentialsBaseOptions{EncryptionKey: d.DataKey}),
		BackupRetention: awscdk.Duration_Days(jsii.Number(stage.Database.BackupDays)), CopyTagsToSnapshot: jsii.Bool(true),
		DeletionProtection: jsii.Bool(stage.Protected), RemovalPolicy: removal, AutoMinorVersionUpgrade: jsii.Bool(true),
		CaCertificate: awsrds.CaCertificate_RDS_CA_RSA2048_G1(), // certificates/rds.pem has its roots
		ParameterGroup: awsrds.NewParameterGroup(scope, jsii.String("Parameters"), &awsrds.ParameterGroupProps{
			Engine: engine, Description: jsii.String("Deskhand: TLS only, as many connections as the functions need"),
			Parameters: &map[string]*string{"rds.force_ssl": jsii.String("1"), "max_connections": jsii.String(fmt.Sprint(stage.Database.MaxConnections))},
		}),
	})
	accept(d.Postgres, "RDS11", "The port is no secret: only the functions' security groups reach it")
	if !stage.Protected {
		accept(d.Postgres, "RDS10", "A stage that is not protected is meant to be deleted; a last snapshot is kept")
	}
	d.Owner = d.Postgres.Secret()
	accept(d.Postgres.Node().FindChild(jsii.String("Secret")), "SMG4", rotated)
	d.AppUser, d.AdminUser = d.user(scope, "AppUser", "app_user"), d.user(scope, "AdminUser", "admin_user")
	rotate(d.Owner, rotator(stage, "owner"), n)
	rotate(d.AppUser, rotator(stage, "app-user"), n)
	rotate(d.AdminUser, rotator(stage, "admin-user"), n)
}

// rotator is the name of the function that rotates the password of a user.
func rotator(stage Stage, user string) string { return "deskhand-" + stage.Name + "-rotate-" + user }

// user makes a password for a role of Postgres, which migrate gives it.
func (d *Data) user(scope constructs.Construct, name, role string) awssecretsmanager.ISecret {
	secret := awsrds.NewDatabaseSecret(scope, jsii.String(name), &awsrds.DatabaseSecretProps{
		Username: jsii.String(role), Dbname: jsii.String(database), EncryptionKey: d.DataKey,
	})
	accept(secret, "SMG4", rotated)
	return secret.Attach(d.Postgres)
}

// rotate has AWS's own function of that name change a password of Postgres.
func rotate(secret awssecretsmanager.ISecret, function string, n *Network) {
	secret.AddRotationSchedule(jsii.String("Rotation"), &awssecretsmanager.RotationScheduleOptions{
		AutomaticallyAfter: awscdk.Duration_Days(jsii.Number(rotationDays)), RotateImmediatelyOnUpdate: jsii.Bool(false),
		HostedRotation: awssecretsmanager.HostedRotation_PostgreSqlSingleUser(&awssecretsmanager.SingleUserHostedRotationOptions{
			FunctionName: jsii.String(function), Vpc: n.VPC, VpcSubnets: n.ClosedSubnets, SecurityGroups: &[]awsec2.ISecurityGroup{n.Closed},
		}),
	})
}

// valkey makes the cache. Its user "default", whom everybody knows, may do
// nothing.
func (d *Data) valkey(scope constructs.Construct, stage Stage, n *Network) {
	group := awsec2.NewSecurityGroup(scope, jsii.String("CacheGroup"), &awsec2.SecurityGroupProps{
		Vpc: n.VPC, AllowAllOutbound: jsii.Bool(false), Description: jsii.String("Valkey"),
	})
	n.reach(group, cachePort, "Valkey")
	var ids []any
	for _, subnet := range *n.VPC.SelectSubnets(n.ClosedSubnets).SubnetIds {
		ids = append(ids, subnet)
	}
	subnets := awselasticache.NewCfnSubnetGroup(scope, jsii.String("CacheSubnets"), &awselasticache.CfnSubnetGroupProps{
		Description: jsii.String("Deskhand's cache"), SubnetIds: &ids,
	})
	id := "deskhand-" + stage.Name
	nobody, _ := d.cacheUser(scope, "default", id+"-default", "off -@all")
	user, secret := d.cacheUser(scope, "deskhand", id, cacheAccess)
	d.CacheUser = secret
	users := awselasticache.NewCfnUserGroup(scope, jsii.String("CacheUsers"), &awselasticache.CfnUserGroupProps{
		Engine: jsii.String("valkey"), UserGroupId: jsii.String(id), UserIds: &[]*string{nobody.Ref(), user.Ref()},
	})
	d.Cache = awselasticache.NewCfnReplicationGroup(scope, jsii.String("Cache"), &awselasticache.CfnReplicationGroupProps{
		ReplicationGroupDescription: jsii.String("Deskhand: limits, replay memory, tokens"),
		Engine:                      jsii.String("valkey"), EngineVersion: jsii.String("8.0"), CacheNodeType: jsii.String(stage.CacheNode),
		NumCacheClusters: jsii.Number(2), AutomaticFailoverEnabled: true, MultiAzEnabled: true, AutoMinorVersionUpgrade: true,
		SnapshotRetentionLimit: jsii.Number(snapshotDays), TransitEncryptionEnabled: true, TransitEncryptionMode: jsii.String("required"),
		AtRestEncryptionEnabled: true, KmsKeyId: d.DataKey.KeyArn(), UserGroupIds: &[]*string{users.Ref()},
		CacheSubnetGroupName: subnets.Ref(), SecurityGroupIds: &[]*string{group.SecurityGroupId()}, Port: jsii.Number(cachePort),
	})
	accept(d.Cache, "AEC5", "The port is no secret: only the functions' security groups reach it")
	accept(d.Cache, "AEC6", "Users with passwords and permissions of their own (a user group) stand for the one token")
}

// cacheUser makes a user of Valkey with a password of its own.
func (d *Data) cacheUser(scope constructs.Construct, name, id, access string) (awselasticache.CfnUser, awssecretsmanager.ISecret) {
	secret := awssecretsmanager.NewSecret(scope, jsii.String("Cache-"+name), &awssecretsmanager.SecretProps{
		EncryptionKey: d.DataKey, GenerateSecretString: &awssecretsmanager.SecretStringGenerator{
			SecretStringTemplate: jsii.String(fmt.Sprintf(`{"username":%q}`, name)), GenerateStringKey: jsii.String("password"),
			PasswordLength: jsii.Number(64), ExcludePunctuation: jsii.Bool(true),
		},
	})
	accept(secret, "SMG4", "ElastiCache has no rotation of its own for it: docs/runbooks/secrets.md says how an operator does")
	user := awselasticache.NewCfnUser(scope, jsii.String("CacheUser-"+name), &awselasticache.CfnUserProps{
		Engine: jsii.String("valkey"), UserId: jsii.String(id), UserName: jsii.String(name), AccessString: jsii.String(access),
		AuthenticationMode: map[string]any{"Type": "password", "Passwords": []*string{secret.SecretValueFromJson(jsii.String("password")).UnsafeUnwrap()}},
	})
	return user, secret
}

// URLs of the stores, without user and password, which come from the secrets.
func (d *Data) postgresURL() *string {
	return jsii.String(fmt.Sprintf("postgres://%s:%d/%s?sslmode=verify-full&sslrootcert=/opt/rds.pem", *d.Postgres.DbInstanceEndpointAddress(), postgresPort, database))
}

func (d *Data) cacheURL() *string {
	return jsii.String(fmt.Sprintf("rediss://%s:%d", *d.Cache.AttrPrimaryEndPointAddress(), cachePort))
}

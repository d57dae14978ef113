package main

import (
	"slices"
	"strings"
	"testing"
)

func TestEveryRuleOfAWSSolutionsIsKeptOrAnswered(t *testing.T) {
	t.Parallel()
	eachStage(t, func(t *testing.T, s synthesis) {
		for _, finding := range s.Findings {
			t.Error(finding)
		}
	})
}

func TestQueuesAreEncryptedAndLeadToDeadLetters(t *testing.T) {
	t.Parallel()
	eachStage(t, func(t *testing.T, s synthesis) {
		dead := 0
		var protected []string
		for _, p := range s.of(t, "AWS::SQS::QueuePolicy") {
			if strings.Contains(flat(p.get("PolicyDocument.Statement")), `"aws:SecureTransport":"false"`) {
				protected = append(protected, flatten(p.get("Queues"))...)
			}
		}
		for _, q := range s.of(t, "AWS::SQS::Queue") {
			q.want(t, map[string]any{"SqsManagedSseEnabled": true, "MaximumMessageSize": maxMessage, "FifoQueue": nil})
			if !slices.Contains(protected, q.id) {
				t.Errorf("%s takes messages without TLS", q.id)
			}
			if q.get("RedrivePolicy") == nil {
				dead++
				q.want(t, map[string]any{"MessageRetentionPeriod": 14 * 86400})
				continue
			}
			q.want(t, map[string]any{"MessageRetentionPeriod": 7 * 86400, "RedrivePolicy.maxReceiveCount": 10})
			if target := q.text("RedrivePolicy.deadLetterTargetArn"); !strings.Contains(target, "Dead") {
				t.Errorf("%s: dead letters go to %s", q.id, target)
			}
		}
		if dead != 2 {
			t.Errorf("%d queues have no dead letters, want the two that are for them", dead)
		}
	})
}

func TestPostgresIsReplicatedEncryptedAndTakesTLSOnly(t *testing.T) {
	t.Parallel()
	eachStage(t, func(t *testing.T, s synthesis) {
		db := s.of(t, "AWS::RDS::DBInstance")[0]
		db.want(t, map[string]any{
			"Engine": "postgres", "EngineVersion": "17", "MultiAZ": true, "StorageEncrypted": true, "PubliclyAccessible": false, "CopyTagsToSnapshot": true,
			"BackupRetentionPeriod": s.Stage.Database.BackupDays, "DeletionProtection": s.Stage.Protected, "CACertificateIdentifier": "rds-ca-rsa2048-g1",
			"DBInstanceClass": "db." + s.Stage.Database.Class,
		})
		if !strings.HasPrefix(db.text("KmsKeyId"), "DataDataKey") || db.DeletionPolicy != "Snapshot" {
			t.Errorf("key %s, deletion %s", db.text("KmsKeyId"), db.DeletionPolicy)
		}
		s.of(t, "AWS::RDS::DBParameterGroup")[0].want(t, map[string]any{"Family": "postgres17", "Parameters": map[string]any{
			"rds.force_ssl": "1", "max_connections": flat(s.Stage.Database.MaxConnections),
		}})
	})
}

func TestDatabasePasswordsAreRotated(t *testing.T) {
	t.Parallel()
	eachStage(t, func(t *testing.T, s synthesis) {
		attached := map[string]bool{}
		for _, a := range s.of(t, "AWS::SecretsManager::SecretTargetAttachment") {
			attached[a.id] = false
		}
		for _, r := range s.of(t, "AWS::SecretsManager::RotationSchedule") {
			r.want(t, map[string]any{
				"RotateImmediatelyOnUpdate": false, "RotationRules.ScheduleExpression": "rate(30 days)", "HostedRotationLambda.RotationType": "PostgreSQLSingleUser",
			})
			attached[r.text("SecretId")] = true
		}
		for id, rotates := range attached {
			if !rotates {
				t.Errorf("%s: no rotation", id)
			}
		}
		if len(attached) != 3 {
			t.Errorf("%d secrets of the database, want those of the owner, app_user and admin_user", len(attached))
		}
	})
}

func TestValkeyFailsOverAndAsksForAPassword(t *testing.T) {
	t.Parallel()
	eachStage(t, func(t *testing.T, s synthesis) {
		cache := s.of(t, "AWS::ElastiCache::ReplicationGroup")[0]
		cache.want(t, map[string]any{
			"Engine": "valkey", "AutomaticFailoverEnabled": true, "MultiAZEnabled": true, "NumCacheClusters": 2, "SnapshotRetentionLimit": 7,
			"TransitEncryptionEnabled": true, "TransitEncryptionMode": "required", "AtRestEncryptionEnabled": true,
		})
		if users := flatten(cache.get("UserGroupIds")); len(users) != 1 || !strings.HasPrefix(cache.text("KmsKeyId"), "DataDataKey") {
			t.Errorf("users %q, key %s", users, cache.text("KmsKeyId"))
		}
		for _, u := range s.of(t, "AWS::ElastiCache::User") {
			access := u.text("AccessString")
			if u.text("UserName") == "default" && access != "off -@all" {
				t.Errorf("user default: %s", access)
			}
			if u.text("AuthenticationMode.Type") != "password" || strings.Contains(access, "+@all") || strings.Contains(access, "+@admin") {
				t.Errorf("user %s: %s, %s", u.text("UserName"), u.text("AuthenticationMode.Type"), access)
			}
		}
	})
}

func TestKeysRotateAndOutliveTheStack(t *testing.T) {
	t.Parallel()
	eachStage(t, func(t *testing.T, s synthesis) {
		for _, k := range s.of(t, "AWS::KMS::Key") {
			k.want(t, map[string]any{"EnableKeyRotation": true})
			if k.DeletionPolicy != "Retain" || k.UpdateReplacePolicy != "Retain" {
				t.Errorf("%s: %s, %s", k.id, k.DeletionPolicy, k.UpdateReplacePolicy)
			}
		}
	})
}

// TestSecretsKeepWhatIsPutIntoThem holds the first values: CloudFormation
// writes a secret anew where its first value changes, and the sealing key is
// gone.
func TestSecretsKeepWhatIsPutIntoThem(t *testing.T) {
	t.Parallel()
	eachStage(t, func(t *testing.T, s synthesis) {
		first := map[string]string{}
		for _, secret := range s.of(t, "AWS::SecretsManager::Secret") {
			if !strings.HasPrefix(secret.text("KmsKeyId"), "DataDataKey") {
				t.Errorf("%s: key %q", secret.id, secret.text("KmsKeyId"))
			}
			if text := secret.text("SecretString"); text != "" {
				first[secret.id] = text
				if secret.DeletionPolicy != "Retain" {
					t.Errorf("%s goes with the stack", secret.id)
				}
			} else if secret.get("GenerateSecretString") == nil {
				t.Errorf("%s: no value", secret.id)
			}
		}
		if want := map[string]string{"DataApplication": `{"SEALING_KEY":""}`, "DataModel": `{"OPENAI_API_KEY":""}`}; len(first) != len(want) {
			t.Errorf("%v", first)
		} else {
			for id, text := range first {
				if want[id[:len(id)-8]] != text { // the id ends with a hash
					t.Errorf("%s: the first value %s would replace what is there", id, text)
				}
			}
		}
	})
}

func TestTheNetworkHasThreeZonesAndFixedAddresses(t *testing.T) {
	t.Parallel()
	eachStage(t, func(t *testing.T, s synthesis) {
		zones := map[string]int{}
		for _, subnet := range s.of(t, "AWS::EC2::Subnet") {
			zones[subnet.text("AvailabilityZone")]++
			subnet.want(t, map[string]any{"MapPublicIpOnLaunch": false})
		}
		if len(zones) != 3 {
			t.Errorf("zones %v", zones)
		}
		if n, m := len(s.of(t, "AWS::EC2::NatGateway")), len(s.of(t, "AWS::EC2::EIP")); n != s.Stage.NATGateways || m != n {
			t.Errorf("%d NAT gateways, %d addresses", n, m)
		}
		for _, ip := range s.of(t, "AWS::EC2::EIP") {
			if ip.DeletionPolicy != "Retain" || !strings.Contains(flat(s.Outputs["Addresses"]), ip.id) {
				t.Errorf("%s: %s, and the output is %v", ip.id, ip.DeletionPolicy, s.Outputs["Addresses"])
			}
		}
	})
}

// TestWhoReachesTheInternet holds each function to its subnets, and closed
// subnets to having no route.
func TestWhoReachesTheInternet(t *testing.T) {
	t.Parallel()
	eachStage(t, func(t *testing.T, s synthesis) {
		table, open := map[string]string{}, map[string]bool{}
		for _, a := range s.of(t, "AWS::EC2::SubnetRouteTableAssociation") {
			table[a.text("SubnetId")] = a.text("RouteTableId")
		}
		for _, r := range s.of(t, "AWS::EC2::Route") {
			open[r.text("RouteTableId")] = true
		}
		want := map[string]bool{"enhance": true, "catalogue": true, "admin": true, "webhook": false, "migrate": false}
		for name, f := range s.functions(t) {
			subnets := flatten(f.get("VpcConfig.SubnetIds"))
			if len(subnets) != 3 {
				t.Errorf("%s is in %d subnets", name, len(subnets))
			}
			for _, subnet := range subnets {
				if open[table[subnet]] != want[name] {
					t.Errorf("%s in %s: a route to the internet is %v, want %v", name, subnet, open[table[subnet]], want[name])
				}
			}
		}
		for _, e := range s.of(t, "AWS::EC2::VPCEndpoint") {
			e.want(t, map[string]any{"VpcEndpointType": "Interface", "PrivateDnsEnabled": true})
			for _, subnet := range flatten(e.get("SubnetIds")) {
				if open[table[subnet]] {
					t.Errorf("%s is in an open subnet", e.id)
				}
			}
		}
		for _, g := range s.of(t, "AWS::EC2::SecurityGroup") {
			if g.get("SecurityGroupIngress") != nil {
				t.Errorf("%s lets addresses in: %s", g.id, g.text("SecurityGroupIngress"))
			}
		}
	})
}

func TestLogsAreKeptFor90Days(t *testing.T) {
	t.Parallel()
	eachStage(t, func(t *testing.T, s synthesis) {
		for _, l := range s.of(t, "AWS::Logs::LogGroup") {
			l.want(t, map[string]any{"RetentionInDays": 90})
		}
	})
}

func TestWhatCostsCarriesTheStageAndItsPart(t *testing.T) {
	t.Parallel()
	eachStage(t, func(t *testing.T, s synthesis) {
		for _, kind := range []string{
			"AWS::RDS::DBInstance", "AWS::ElastiCache::ReplicationGroup", "AWS::Lambda::Function", "AWS::SQS::Queue", "AWS::EC2::NatGateway", "AWS::KMS::Key",
			"AWS::ApiGateway::Stage", "AWS::WAFv2::WebACL", "AWS::Logs::LogGroup", "AWS::SecretsManager::Secret",
		} {
			for _, r := range s.of(t, kind) {
				tags := r.text("Tags")
				if strings.HasPrefix(r.id, "AWSCDK") { // the CDK's own
					continue
				}
				if !strings.Contains(tags, `{"Key":"deskhand","Value":"`+s.Stage.Name+`"}`) || !strings.Contains(tags, `{"Key":"component",`) {
					t.Errorf("%s: tags %s", r.id, tags)
				}
			}
		}
	})
}

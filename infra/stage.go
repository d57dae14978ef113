package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
)

// Stage is one installation: where it is and how large. cdk.context.json has
// them all; `cdk deploy -c stage=prod` picks one.
type Stage struct {
	Name string `json:"-"`
	// Account may be empty: that of the caller's credentials.
	Account string `json:"account"`
	Region  string `json:"region"`
	// Zones are the three availability zones, so that synthesis asks nobody.
	Zones []string `json:"zones"`
	// Domain is the API's own name, Certificate the ARN of its certificate in
	// the same region. Empty: API Gateway's own name.
	Domain      string `json:"domain"`
	Certificate string `json:"certificate"`
	// AlarmEmail gets every alarm, after it has confirmed the subscription.
	AlarmEmail string `json:"alarm_email"`
	// NATGateways is also the number of addresses that clients' firewalls see.
	NATGateways int `json:"nat_gateways"`
	// Protected keeps the stack and its database from being deleted.
	Protected bool `json:"protected"`
	// Cluster is an EKS cluster on the same stores and queues.
	Cluster     Cluster     `json:"cluster"`
	Database    Database    `json:"database"`
	CacheNode   string      `json:"cache_node"`
	Concurrency Concurrency `json:"concurrency"`
	// RequestsPerSecond is what the API takes in all, RequestsPerSource what
	// one address may send in five minutes.
	RequestsPerSecond int `json:"requests_per_second"`
	RequestsPerSource int `json:"requests_per_source"`
	// MonthlyUSD is the budget of AWS, ModelDailyUSD that of the model.
	MonthlyUSD    int `json:"monthly_usd"`
	ModelDailyUSD int `json:"model_daily_usd"`
	// Environment is added to that of every function: LOG_LEVEL, OPENAI_MODEL,
	// EMBEDDING_MODEL, MODEL_PRICES, OIDC_ISSUER. No secrets.
	Environment map[string]string `json:"environment"`
}

// Cluster is what its workloads cannot know themselves. All empty: no cluster.
type Cluster struct {
	// Admin is the ARN of the role that administers it.
	Admin string `json:"admin"`
	// Image is what Dockerfile makes, with registry and tag; `cdk deploy -c
	// image=...` says another.
	Image string `json:"image"`
	// Host is where webhooks come in, ACMEEmail whom the certificate authority
	// writes to, IngressClass that of your controller.
	Host         string `json:"host"`
	ACMEEmail    string `json:"acme_email"`
	IngressClass string `json:"ingress_class"`
}

// Database is the size of Postgres.
type Database struct {
	Class     string `json:"class"` // without "db."
	MemoryGiB int    `json:"memory_gib"`
	// MaxConnections is set on the server; functions and pods use 80 % at most.
	// It is below what RDS would choose for the memory, and the stages here use
	// about half, so that each has room for a cluster.
	MaxConnections int `json:"max_connections"`
	StorageGiB     int `json:"storage_gib"`
	BackupDays     int `json:"backup_days"`
}

// Concurrency is the reserved concurrency of each function. That of enhance
// and catalogue is also how many messages they work on at once.
type Concurrency struct {
	Webhook   int `json:"webhook"`
	Enhance   int `json:"enhance"`
	Catalogue int `json:"catalogue"`
	Admin     int `json:"admin"`
}

// ReadStages reads the stages from the context; the error lists all that is
// wrong with them.
func ReadStages(context any) (map[string]Stage, error) {
	text, err := json.Marshal(context)
	if err != nil {
		return nil, fmt.Errorf("context \"stages\": %w", err)
	}
	var stages map[string]Stage
	in := json.NewDecoder(bytes.NewReader(text))
	in.DisallowUnknownFields()
	if err := in.Decode(&stages); err != nil {
		return nil, fmt.Errorf("context \"stages\" (cdk.context.json): %w", err)
	}
	var errs []error
	for _, name := range slices.Sorted(maps.Keys(stages)) {
		s := stages[name]
		s.Name = name
		stages[name] = s
		errs = append(errs, s.check())
	}
	return stages, errors.Join(errs...)
}

// hostname is a name in DNS with a dot in it.
var hostname = regexp.MustCompile(`^([a-z0-9]([a-z0-9-]*[a-z0-9])?\.)+[a-z]{2,}$`)

// connections is how many to Postgres may be open at a time.
func (s Stage) connections() int {
	c := s.Concurrency
	n := databaseConns*(c.Webhook+c.Enhance+c.Catalogue) + 2*databaseConns*c.Admin + migrateConns
	if s.Cluster.Admin != "" {
		n += podConns
	}
	return n
}

func (s Stage) check() error {
	var errs []error
	need := func(ok bool, what string) {
		if !ok {
			errs = append(errs, fmt.Errorf("stage %s: %s", s.Name, what))
		}
	}
	need(s.Region != "", "region: required")
	need(len(s.Zones) == 3, "zones: want three availability zones")
	need((s.Domain == "") == (s.Certificate == ""), "domain, certificate: set both or none")
	need(s.NATGateways >= 1 && s.NATGateways <= 3, "nat_gateways: want 1 to 3")
	need(s.Database.Class != "" && s.CacheNode != "", "database.class, cache_node: required")
	need(s.Database.StorageGiB >= 20, "database.storage_gib: want 20 or more")
	need(s.Database.BackupDays >= 7 && s.Database.BackupDays <= 35, "database.backup_days: want 7 to 35")
	c := s.Concurrency
	need(min(c.Webhook, c.Enhance, c.Catalogue, c.Admin) >= 2, "concurrency: want 2 or more for each function")
	need(min(s.RequestsPerSecond, s.MonthlyUSD, s.ModelDailyUSD) >= 1, "requests_per_second, monthly_usd, model_daily_usd: want 1 or more")
	cluster := s.Cluster
	need(cluster == Cluster{} || (strings.HasPrefix(cluster.Admin, "arn:") && hostname.MatchString(cluster.Host) && strings.Contains(cluster.ACMEEmail, "@") &&
		cluster.Image != "" && cluster.IngressClass != ""), "cluster: set admin (an ARN), image, host, acme_email and ingress_class, or none")
	need(100*s.connections() <= 80*s.Database.MaxConnections, fmt.Sprintf("database.max_connections: functions and pods may open %d, which has to be 80 %% at most", s.connections()))
	need(s.RequestsPerSource >= 10, "requests_per_source: want 10 or more, as AWS WAF does")
	return errors.Join(errs...)
}

// Package secretsmanagertest holds secretsmanager.Client to its promises, on
// whatever server the AWS SDK's own variables lead to.
package secretsmanagertest

import (
	"crypto/rand"
	"errors"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/aws/aws-sdk-go-v2/config"
	aws "github.com/aws/aws-sdk-go-v2/service/secretsmanager"

	"github.com/deskhand/deskhand/shared/secret"
	"github.com/deskhand/deskhand/shared/secretsmanager"
)

// Connect gives the client, and that of AWS beside it.
func Connect(t testing.TB) (*secretsmanager.Client, *aws.Client) {
	t.Helper()
	client, err := secretsmanager.Connect(t.Context())
	must(t, err)
	c, err := config.LoadDefaultConfig(t.Context())
	must(t, err)
	return client, aws.NewFromConfig(c)
}

// Create makes a secret with a value, and gives its name and ARN.
func Create(t testing.TB, api *aws.Client, value string) (name, arn string) {
	t.Helper()
	name = "deskhand/" + strings.ToLower(rand.Text())
	out, err := api.CreateSecret(t.Context(), &aws.CreateSecretInput{Name: &name, SecretString: &value})
	must(t, err)
	return name, *out.ARN
}

// Put changes the value of a secret.
func Put(t testing.TB, api *aws.Client, name, value string) {
	t.Helper()
	_, err := api.PutSecretValue(t.Context(), &aws.PutSecretValueInput{SecretId: &name, SecretString: &value})
	must(t, err)
}

// Run runs the suite.
func Run(t *testing.T) {
	t.Helper()
	for name, test := range map[string]func(*testing.T){
		"an object is read by name and ARN":           readsAnObject,
		"a login is read as RDS keeps it":             readsALogin,
		"a changed secret is read anew":               readsWhatIsThere,
		"what is malformed is named and never quoted": refusesOtherForms,
		"a secret that is missing is named":           namesWhatIsMissing,
		"a key is added once and the others stay":     addsOnce,
	} {
		t.Run(name, func(t *testing.T) { t.Parallel(); test(t) })
	}
}

func readsAnObject(t *testing.T) {
	client, api := Connect(t)
	name, arn := Create(t, api, `{"SEALING_KEY":"{\"k\":1}","OPENAI_API_KEY":""}`)
	for _, id := range []string{name, arn} {
		got, err := client.Object(t.Context(), id)
		if err != nil || len(got) != 2 || got["SEALING_KEY"].Reveal() != `{"k":1}` || !got["OPENAI_API_KEY"].Empty() {
			t.Errorf("%s: %d keys, %v", id, len(got), err)
		}
	}
}

func readsALogin(t *testing.T) {
	client, api := Connect(t)
	name, _ := Create(t, api, `{"engine":"postgres","host":"db","port":5432,"username":"app_user","password":"hunter2"}`)
	user, password, err := client.Login(t.Context(), name)
	if err != nil || user != "app_user" || password.Reveal() != "hunter2" {
		t.Errorf("%s, %v", user, err)
	}
}

func readsWhatIsThere(t *testing.T) {
	client, api := Connect(t)
	name, _ := Create(t, api, `{"username":"app_user","password":"old"}`)
	Put(t, api, name, `{"username":"app_user","password":"new"}`)
	if _, password, err := client.Login(t.Context(), name); err != nil || password.Reveal() != "new" {
		t.Errorf("it does not read the current version: %v", err)
	}
}

func refusesOtherForms(t *testing.T) {
	client, api := Connect(t)
	for _, value := range []string{"hunter2", `"hunter2"`, `["hunter2"]`, `{"a":"hunter2","b":5432}`, `{"a":"hunter2","b":null}`, `{"username":"hunter2"`, "null", `{"password":"hunter2"}hunter2`} {
		name, _ := Create(t, api, value)
		_, err := client.Object(t.Context(), name)
		_, _, errLogin := client.Login(t.Context(), name)
		for _, err := range []error{err, errLogin} {
			if err == nil || !strings.Contains(err.Error(), name) || !strings.Contains(err.Error(), "want {") || strings.Contains(err.Error(), "hunter2") {
				t.Errorf("%q: %v", value, err)
			}
		}
	}
	name := "deskhand/" + strings.ToLower(rand.Text())
	_, err := api.CreateSecret(t.Context(), &aws.CreateSecretInput{Name: &name, SecretBinary: []byte(`{"a":"hunter2"}`)})
	must(t, err)
	if _, err := client.Object(t.Context(), name); err == nil || !strings.Contains(err.Error(), "text, not bytes") {
		t.Errorf("bytes: %v", err)
	}
}

func namesWhatIsMissing(t *testing.T) {
	client, api := Connect(t)
	empty := "deskhand/" + strings.ToLower(rand.Text())
	_, err := api.CreateSecret(t.Context(), &aws.CreateSecretInput{Name: &empty})
	must(t, err)
	for _, name := range []string{"deskhand/nobody", empty} {
		_, err := client.Object(t.Context(), name)
		if !errors.Is(err, secretsmanager.ErrMissing) || !strings.Contains(err.Error(), name) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := client.Add(t.Context(), "deskhand/nobody", "K", secret.New("v")); !errors.Is(err, secretsmanager.ErrMissing) {
		t.Errorf("added to a secret that is not there: %v", err)
	}
	if added, err := client.Add(t.Context(), empty, "K", secret.New("v")); err != nil || !added {
		t.Errorf("not added to a secret without a value: %v", err)
	}
}

func addsOnce(t *testing.T) {
	client, api := Connect(t)
	name, _ := Create(t, api, `{"OPENAI_API_KEY":"<k>","port":5432,"SEALING_KEY":""}`)
	var added atomic.Int32
	var wg sync.WaitGroup
	for _, value := range []string{"one", "two"} {
		wg.Go(func() {
			ok, err := client.Add(t.Context(), name, "SEALING_KEY", secret.New(value))
			if err != nil {
				t.Error(err)
			}
			if ok {
				added.Add(1)
			}
		})
	}
	wg.Wait()
	out, err := api.GetSecretValue(t.Context(), &aws.GetSecretValueInput{SecretId: &name})
	must(t, err)
	if n := added.Load(); n != 1 || !strings.Contains(*out.SecretString, `5432`) || !strings.Contains(*out.SecretString, `OPENAI_API_KEY`) {
		t.Errorf("%d were added: %s", n, *out.SecretString)
	}
	if ok, err := client.Add(t.Context(), name, "SEALING_KEY", secret.New("three")); ok || err != nil {
		t.Errorf("a key that is there was replaced: %v", err)
	}
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

package secretsmanager_test

import (
	"context"
	"errors"
	"net"
	"net/http/httptest"
	"os"
	"strings"
	"testing"
	"time"

	aws "github.com/aws/aws-sdk-go-v2/service/secretsmanager"

	"github.com/deskhand/deskhand/shared/secret"
	"github.com/deskhand/deskhand/shared/secretsmanager"
	"github.com/deskhand/deskhand/shared/secretsmanager/secretsmanagerfake"
	"github.com/deskhand/deskhand/shared/secretsmanager/secretsmanagertest"
)

// endpoint is the AWS SDK's own variable.
const endpoint = "AWS_ENDPOINT_URL_SECRETS_MANAGER"

// faults are what the server answers for a secret of this name.
var faults = map[string]*secretsmanagerfake.Error{
	"denied":     {Code: "AccessDeniedException", Message: "User: hunter2 is not authorized to perform: secretsmanager:GetSecretValue"},
	"denied key": {Code: "AccessDeniedException", Message: "Access to KMS is not allowed"},
	"locked":     {Code: "DecryptionFailure", Message: "hunter2"},
	"deleted":    {Code: "InvalidRequestException", Message: "You can't perform this operation on the secret because it was marked for deletion."},
	"odd":        {Code: "InvalidParameterException", Message: "hunter2"},
}

func TestMain(m *testing.M) {
	server := httptest.NewServer(&secretsmanagerfake.Server{
		Fault: func(operation, name string) *secretsmanagerfake.Error {
			if write, ok := strings.CutPrefix(name, "write "); ok && operation == "PutSecretValue" {
				return faults[write]
			}
			return faults[name]
		},
	})
	for name, value := range map[string]string{endpoint: server.URL, "AWS_REGION": "eu-west-1", "AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test"} {
		if err := os.Setenv(name, value); err != nil {
			panic(err)
		}
	}
	code := m.Run()
	server.Close()
	os.Exit(code)
}

func TestConformance(t *testing.T) {
	t.Parallel()
	secretsmanagertest.Run(t)
}

func TestWhatIsRefusedNamesThePermission(t *testing.T) {
	t.Parallel()
	client, api := secretsmanagertest.Connect(t)
	for name, want := range map[string]string{
		"denied": "lacks secretsmanager:GetSecretValue", "denied key": "lacks kms:Decrypt", "locked": "kms:Decrypt", "deleted": "restore-secret", "odd": "InvalidParameterException",
	} {
		_, err := client.Object(t.Context(), name)
		if err == nil || !strings.Contains(err.Error(), "read secret "+name) || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "hunter2") {
			t.Errorf("%s: %v", name, err)
		}
	}
	for name, want := range map[string]string{"denied": "lacks secretsmanager:PutSecretValue", "denied key": "lacks kms:GenerateDataKey"} {
		name = "write " + name
		value := "{}"
		if _, err := api.CreateSecret(t.Context(), &aws.CreateSecretInput{Name: &name, SecretString: &value}); err != nil {
			t.Fatal(err)
		}
		if _, err := client.Add(t.Context(), name, "SEALING_KEY", secret.New("hunter2")); err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "hunter2") {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestAServerThatIsSilentIsNotWaitedFor(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0") // takes connections and never answers
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	t.Setenv(endpoint, "http://"+listener.Addr().String())
	client, err := secretsmanager.Connect(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if _, err := client.Object(ctx, "application"); !errors.Is(err, context.DeadlineExceeded) || !strings.Contains(err.Error(), "secret application: AWS Secrets Manager did not answer") {
		t.Error(err)
	}
}

package kms_test

import (
	"context"
	"errors"
	"net"
	"net/http/httptest"
	"os"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/deskhand/deskhand/shared/kms"
	"github.com/deskhand/deskhand/shared/kms/kmsfake"
	"github.com/deskhand/deskhand/shared/kms/kmstest"
)

// endpoint is the AWS SDK's own variable.
const endpoint = "AWS_ENDPOINT_URL_KMS"

func TestMain(m *testing.M) {
	server := httptest.NewServer(&kmsfake.Server{})
	for name, value := range map[string]string{endpoint: server.URL, "AWS_REGION": "us-east-1", "AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test"} {
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
	kmstest.Run(t)
}

func TestAKeyNeedsAnARN(t *testing.T) {
	t.Parallel()
	for _, arn := range []string{"", "alias/deskhand", "arn:aws:sqs:eu-west-1:123456789012:key/1", "arn:aws:kms:eu-west-1:key/1"} {
		if _, err := kms.Connect(t.Context(), arn); err == nil || !strings.Contains(err.Error(), "want arn:aws:kms:") {
			t.Errorf("%q: %v", arn, err)
		}
	}
}

func TestWhatIsRefusedNamesThePermission(t *testing.T) {
	var fault atomic.Pointer[kmsfake.Error]
	server := httptest.NewServer(&kmsfake.Server{Fault: func(operation string) *kmsfake.Error {
		if operation == "CreateKey" {
			return nil
		}
		return fault.Load()
	}})
	defer server.Close()
	t.Setenv(endpoint, server.URL)
	key, arn := kmstest.Create(t)
	for code, want := range map[string]string{
		"AccessDeniedException": "lacks kms:Decrypt", "DisabledException": "is disabled", "KMSInvalidStateException": "describe-key", "IncorrectKeyException": "another KMS key",
		"NotFoundException": "no such key", "InvalidGrantTokenException": "InvalidGrantTokenException",
	} {
		fault.Store(&kmsfake.Error{Code: code, Message: "hunter2"})
		if _, err := key.DecryptWithContext(t.Context(), []byte("x"), nil); err == nil || !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), arn) || strings.Contains(err.Error(), "hunter2") {
			t.Errorf("%s: %v", code, err)
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
	key, err := kms.Connect(t.Context(), "arn:aws:kms:eu-west-1:123456789012:key/1")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if _, err := key.DecryptWithContext(ctx, []byte("x"), nil); !errors.Is(err, context.DeadlineExceeded) || !strings.Contains(err.Error(), "did not answer") {
		t.Error(err)
	}
}

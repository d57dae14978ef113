// Package secretsmanager reads secrets from AWS Secrets Manager: JSON objects
// of text, and the user with a password that RDS rotates. Its errors name the
// secret and what is missing, a permission for example, and never a value.
package secretsmanager

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"
	"github.com/aws/smithy-go"
	"github.com/google/uuid"

	"github.com/deskhand/deskhand/shared/secret"
)

// ErrMissing says that there is no such secret, or that it has no value yet.
var ErrMissing = errors.New("there is no such secret in this region, or it has no value yet")

// Client reads secrets. It is safe for concurrent use. Make it with Connect.
type Client struct{ api *secretsmanager.Client }

// Connect gives a client with the SDK's own configuration: region, credentials
// and AWS_ENDPOINT_URL come from the environment. It makes no call yet; the
// error is about the configuration.
func Connect(ctx context.Context) (*Client, error) {
	c, err := config.LoadDefaultConfig(ctx)
	if err != nil {
		return nil, fmt.Errorf("secretsmanager: read the AWS configuration from the environment: %w", err)
	}
	return &Client{api: secretsmanager.NewFromConfig(c)}, nil
}

// Object reads a secret that is a JSON object of strings, by its name or ARN.
func (c *Client) Object(ctx context.Context, name string) (map[string]secret.Text, error) {
	value, _, err := c.read(ctx, name)
	if err != nil {
		return nil, err
	}
	var object map[string]*string
	// What json complains of may quote the secret.
	if json.Unmarshal([]byte(value), &object) != nil || object == nil {
		return nil, notJSON(name, `{"NAME":"value"}, every value a string`)
	}
	texts := make(map[string]secret.Text, len(object))
	for key, text := range object {
		if text == nil {
			return nil, notJSON(name, `{"NAME":"value"}, every value a string`)
		}
		texts[key] = secret.New(*text)
	}
	return texts, nil
}

// Login reads a secret that holds username and password among other things, as
// RDS keeps it.
func (c *Client) Login(ctx context.Context, name string) (user string, password secret.Text, err error) {
	value, _, err := c.read(ctx, name)
	if err != nil {
		return "", secret.Text{}, err
	}
	var login struct {
		Username string `json:"username"`
		Password string `json:"password"`
	}
	if json.Unmarshal([]byte(value), &login) != nil || login.Username == "" || login.Password == "" {
		return "", secret.Text{}, notJSON(name, `{"username":"...","password":"..."}`)
	}
	return login.Username, secret.New(login.Password), nil
}

// Add puts one more key into a secret that is a JSON object, or has no value
// yet. Where the key has a value already it changes nothing, and added is
// false; so of several that add at the same time, one does.
func (c *Client) Add(ctx context.Context, name, key string, text secret.Text) (added bool, err error) {
	// Somebody else may change the secret between reading and writing. He is
	// seen at the second try: then the key is there, or another one was added.
	for range 3 {
		if added, err = c.add(ctx, name, key, text); !errors.Is(err, errChanged) {
			return added, err
		}
	}
	return false, err
}

var errChanged = errors.New("the secret was changed meanwhile: try again")

func (c *Client) add(ctx context.Context, name, key string, text secret.Text) (bool, error) {
	value, version, err := c.read(ctx, name)
	if errors.Is(err, ErrMissing) {
		value, err = "{}", nil // where there is no such secret, writing fails
	}
	if err != nil {
		return false, err
	}
	var object map[string]json.RawMessage
	if json.Unmarshal([]byte(value), &object) != nil || object == nil {
		return false, notJSON(name, "an object, {} for an empty one")
	}
	if there, ok := object[key]; ok && string(there) != `""` && string(there) != "null" {
		return false, nil
	}
	if object[key], err = json.Marshal(text.Reveal()); err != nil {
		return false, fmt.Errorf("secretsmanager: write %s to secret %s: the value cannot be written as JSON", key, name)
	}
	next, err := json.Marshal(object)
	if err != nil {
		return false, notJSON(name, "an object")
	}
	// The id of the next version follows from that of the last, and Secrets
	// Manager does not take another value under an id that it has: of two who
	// have read the same version, one writes.
	sum := sha256.Sum256([]byte(name + "\x00" + version))
	token, content := uuid.UUID(sum[:16]).String(), string(next)
	_, err = c.api.PutSecretValue(ctx, &secretsmanager.PutSecretValueInput{SecretId: &name, SecretString: &content, ClientRequestToken: &token})
	if code(err) == "ResourceExistsException" {
		return false, fmt.Errorf("secretsmanager: write secret %s: %w", name, errChanged)
	}
	if err != nil {
		return false, fmt.Errorf("secretsmanager: write secret %s: %w", name, reason(err, "secretsmanager:PutSecretValue", "kms:GenerateDataKey"))
	}
	return true, nil
}

// read gives the current value of a secret, and the id of its version.
func (c *Client) read(ctx context.Context, name string) (value, version string, err error) {
	out, err := c.api.GetSecretValue(ctx, &secretsmanager.GetSecretValueInput{SecretId: &name})
	if err != nil {
		return "", "", fmt.Errorf("secretsmanager: read secret %s: %w", name, reason(err, "secretsmanager:GetSecretValue", "kms:Decrypt"))
	}
	if out.SecretString == nil || out.VersionId == nil {
		return "", "", notJSON(name, "text, not bytes")
	}
	return *out.SecretString, *out.VersionId, nil
}

func notJSON(name, want string) error {
	return fmt.Errorf("secretsmanager: read secret %s: it is not what is expected: want %s", name, want)
}

// reason says in our words why a call failed: those of AWS may quote what was
// sent. action and onKey are what the caller's role needs for it.
func reason(err error, action, onKey string) error {
	failed, ok := errors.AsType[smithy.APIError](err)
	switch {
	case errors.Is(err, context.DeadlineExceeded):
		return fmt.Errorf("AWS Secrets Manager did not answer in time; a function without internet needs its VPC endpoint: %w", context.DeadlineExceeded)
	case !ok:
		return err // the network's, or no credentials
	}
	switch failed.ErrorCode() {
	case "ResourceNotFoundException":
		return ErrMissing
	case "AccessDeniedException":
		if strings.Contains(failed.ErrorMessage(), "KMS") {
			return fmt.Errorf("access denied: the role of this process lacks %s on the KMS key of the secret", onKey)
		}
		return fmt.Errorf("access denied: the role of this process lacks %s on it", action)
	case "DecryptionFailure", "EncryptionFailure":
		return fmt.Errorf("%s: the KMS key of the secret cannot be used: is it enabled, and has the role %s on it?", failed.ErrorCode(), onKey)
	case "InvalidRequestException":
		return errors.New("InvalidRequestException: is it about to be deleted? aws secretsmanager describe-secret tells, restore-secret takes it back")
	}
	return errors.New(failed.ErrorCode())
}

// code is the code of AWS for an error, "" where it is not AWS's.
func code(err error) string {
	if failed, ok := errors.AsType[smithy.APIError](err); ok {
		return failed.ErrorCode()
	}
	return ""
}

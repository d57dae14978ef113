// Package kms encrypts keysets with a key of AWS KMS, which never leaves KMS.
// Its errors name the key and what is missing, a permission for example.
package kms

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/service/kms"
	"github.com/aws/smithy-go"
	"github.com/tink-crypto/tink-go-awskms/v3/integration/awskms"
	"github.com/tink-crypto/tink-go/v2/tink"
)

// Key is a key in KMS. It implements Tink's AEADWithContext. The associated
// data is KMS's encryption context, so it stands in CloudTrail, as hexadecimal
// digits: it is no place for a secret. It is safe for concurrent use.
type Key struct {
	arn  string
	aead tink.AEADWithContext
}

// Connect gives the key of an ARN, in the ARN's region. Credentials and
// AWS_ENDPOINT_URL come from the environment, as the SDK has it. It makes no
// call yet; the error is about the configuration.
func Connect(ctx context.Context, arn string) (*Key, error) {
	parts := strings.Split(arn, ":") // arn:aws:kms:region:account:key/id
	if len(parts) != 6 || parts[0] != "arn" || parts[2] != "kms" {
		return nil, fmt.Errorf("kms: %q is no ARN of a KMS key: want arn:aws:kms:region:account:key/id", arn)
	}
	c, err := config.LoadDefaultConfig(ctx, config.WithRegion(parts[3]))
	if err != nil {
		return nil, fmt.Errorf("kms: read the AWS configuration from the environment: %w", err)
	}
	aead, err := awskms.NewAEADWithContext(ctx, arn, awskms.WithKMS(kms.NewFromConfig(c)))
	if err != nil {
		return nil, fmt.Errorf("kms: key %s: %w", arn, err)
	}
	return &Key{arn: arn, aead: aead}, nil
}

// EncryptWithContext encrypts up to 4 KiB.
func (k *Key) EncryptWithContext(ctx context.Context, plain, associated []byte) ([]byte, error) {
	sealed, err := k.aead.EncryptWithContext(ctx, plain, associated)
	if err != nil {
		return nil, fmt.Errorf("kms: encrypt with %s: %w", k.arn, reason(err, "kms:Encrypt"))
	}
	return sealed, nil
}

// DecryptWithContext opens what the same key encrypted with the same
// associated data.
func (k *Key) DecryptWithContext(ctx context.Context, sealed, associated []byte) ([]byte, error) {
	plain, err := k.aead.DecryptWithContext(ctx, sealed, associated)
	if err != nil {
		return nil, fmt.Errorf("kms: decrypt with %s: %w", k.arn, reason(err, "kms:Decrypt"))
	}
	return plain, nil
}

// reason says in our words why a call failed. action is what the caller's role
// needs for it.
func reason(err error, action string) error {
	failed, ok := errors.AsType[smithy.APIError](err)
	switch {
	case errors.Is(err, context.DeadlineExceeded):
		return fmt.Errorf("AWS KMS did not answer in time; a function without internet needs its VPC endpoint: %w", context.DeadlineExceeded)
	case !ok:
		return err // the network's, or no credentials
	}
	switch failed.ErrorCode() {
	case "AccessDeniedException":
		return fmt.Errorf("access denied: the role of this process lacks %s on the key", action)
	case "IncorrectKeyException", "InvalidCiphertextException":
		return errors.New("another KMS key encrypted it, or it is damaged")
	case "NotFoundException":
		return errors.New("there is no such key")
	case "DisabledException", "KMSInvalidStateException":
		return fmt.Errorf("%s: the key is disabled or about to be deleted: aws kms describe-key tells", failed.ErrorCode())
	}
	return errors.New(failed.ErrorCode())
}

// Package lambda invokes a function on AWS Lambda, as whoever the AWS SDK's own
// configuration makes of this process.
package lambda

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/service/lambda"
	"github.com/aws/aws-sdk-go-v2/service/lambda/types"
	"github.com/aws/smithy-go"
)

// limit is a little more than the longest time that Lambda gives a function.
const limit = 15*time.Minute + 30*time.Second

// Invoke runs the function of this name or ARN once on a JSON payload, of 6 MB
// at most, and gives its answer. Region, credentials and AWS_ENDPOINT_URL come
// from the environment, and the caller needs lambda:InvokeFunction. It is tried
// once: where the answer is lost, the function may have run. No error quotes
// the payload.
func Invoke(ctx context.Context, function string, payload []byte) ([]byte, error) {
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	c, err := config.LoadDefaultConfig(ctx, config.WithRetryer(func() aws.Retryer { return aws.NopRetryer{} }))
	if err != nil {
		return nil, fmt.Errorf("lambda: read the AWS configuration from the environment: %w", err)
	}
	out, err := lambda.NewFromConfig(c).Invoke(ctx, &lambda.InvokeInput{FunctionName: &function, Payload: payload})
	if err != nil {
		return nil, explained(function, c.Region, err)
	}
	if out.FunctionError != nil {
		var failure struct {
			Message string `json:"errorMessage"`
		}
		_ = json.Unmarshal(out.Payload, &failure) // what cannot be read has no message
		return nil, fmt.Errorf("lambda: function %s failed: %q (its log in CloudWatch has more)", function, failure.Message)
	}
	return out.Payload, nil
}

// explained says what to do about an error.
func explained(function, region string, err error) error {
	advice := "see whether it ran before you try again"
	refused, told := errors.AsType[smithy.APIError](err)
	switch {
	case region == "":
		advice = "set AWS_REGION to where the function is"
	case !told: // nobody knows whether it ran
	case is[*types.ResourceNotFoundException](err):
		advice = "no such function in region " + region
	case is[*types.TooManyRequestsException](err):
		advice = "it did not run: try again"
	case refused.ErrorCode() == "AccessDeniedException":
		advice = "IAM has to allow you lambda:InvokeFunction on it"
	}
	return fmt.Errorf("lambda: invoke %s: %w (%s)", function, err, advice)
}

func is[E error](err error) bool {
	_, ok := errors.AsType[E](err)
	return ok
}

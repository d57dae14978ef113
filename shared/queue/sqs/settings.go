package sqs

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/aws/aws-sdk-go-v2/service/sqs/types"
)

// What the package comment asks of the two queues.
const (
	backstop      = 10
	retention     = 7 * 24 * time.Hour
	deadRetention = 14 * 24 * time.Hour
)

// CheckSettings tells what of the two queues' attributes is not as the package
// comment asks, all at once: the way to the dead letters, and how long messages
// are kept.
func (q *Queue) CheckSettings(ctx context.Context) error {
	alive, err := q.attributes(ctx, q.URL)
	if err != nil {
		return err
	}
	dead, err := q.attributes(ctx, q.DeadURL)
	if err != nil {
		return err
	}
	return errors.Join(
		q.checkRedrive(alive[types.QueueAttributeNameRedrivePolicy], dead[types.QueueAttributeNameQueueArn]),
		q.checkRetention(q.Name, alive, retention),
		q.checkRetention(q.Name+"'s dead letters", dead, deadRetention),
		q.checkSize(alive),
	)
}

func (q *Queue) attributes(ctx context.Context, url string) (map[types.QueueAttributeName]string, error) {
	ctx, cancel := context.WithTimeout(ctx, callLimit)
	defer cancel()
	names := []types.QueueAttributeName{
		types.QueueAttributeNameRedrivePolicy, types.QueueAttributeNameQueueArn,
		types.QueueAttributeNameMessageRetentionPeriod, types.QueueAttributeNameMaximumMessageSize,
	}
	out, err := q.Client.GetQueueAttributes(ctx, &sqs.GetQueueAttributesInput{QueueUrl: &url, AttributeNames: names})
	if err != nil {
		return nil, q.mapped("read settings", err)
	}
	found := map[types.QueueAttributeName]string{}
	for name, value := range out.Attributes {
		found[types.QueueAttributeName(name)] = value
	}
	return found, nil
}

// checkRedrive wants the policy to lead to the queue with the ARN dead. Some
// servers write the count as a number, AWS does either.
func (q *Queue) checkRedrive(policy, dead string) error {
	var p struct {
		Target string      `json:"deadLetterTargetArn"`
		Count  json.Number `json:"maxReceiveCount"`
	}
	// What cannot be read leaves its fields empty, which is wrong as well.
	_ = json.Unmarshal([]byte(cmp.Or(policy, "{}")), &p)
	if p.Target != dead || p.Count.String() != strconv.Itoa(backstop) {
		return fmt.Errorf("sqs: queue %s: the redrive policy leads to %.200q after %.10q receives, want %q after %d",
			q.Name, p.Target, p.Count, dead, backstop)
	}
	return nil
}

func (q *Queue) checkRetention(name string, found map[types.QueueAttributeName]string, want time.Duration) error {
	text := found[types.QueueAttributeNameMessageRetentionPeriod]
	seconds, err := strconv.Atoi(text)
	if err != nil || time.Duration(seconds)*time.Second < want {
		return fmt.Errorf("sqs: queue %s: the message retention period is %.20q seconds, want %.0f", name, text, want.Seconds())
	}
	return nil
}

// checkSize wants room for the largest message. A server that does not tell is
// believed.
func (q *Queue) checkSize(found map[types.QueueAttributeName]string) error {
	const want = 1 << 20
	text := strings.TrimSpace(found[types.QueueAttributeNameMaximumMessageSize])
	if size, err := strconv.Atoi(text); text != "" && (err != nil || size < want) {
		return fmt.Errorf("sqs: queue %s: the maximum message size is %.20q, want %d", q.Name, text, want)
	}
	return nil
}

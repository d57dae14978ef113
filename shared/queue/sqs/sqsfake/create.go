package sqsfake

import (
	"encoding/json"
	"strconv"
	"strings"
	"time"
)

// arn is what the name of a queue follows in its ARN.
const arn = "arn:aws:sqs:eu-west-1:000000000000:"

// create is the operation CreateQueue; host is where the client found this
// server. Retention is taken and not kept: nothing here is forgotten by age.
func (s *Server) create(c call, host string) (any, *Error) {
	settings := Settings{}
	for name, value := range c.Attributes {
		switch name {
		case "VisibilityTimeout":
			seconds, err := strconv.Atoi(value)
			if err != nil || seconds < 0 || seconds > maxVisibility {
				return nil, &Error{Code: "InvalidAttributeValue", Message: "Invalid value for the parameter VisibilityTimeout."}
			}
			settings.Visibility = time.Duration(seconds) * time.Second
		case "RedrivePolicy":
			var policy struct {
				Target   string `json:"deadLetterTargetArn"`
				Receives int    `json:"maxReceiveCount,string"`
			}
			err := json.Unmarshal([]byte(value), &policy)
			settings.DeadLetters, settings.MaxReceives = strings.TrimPrefix(policy.Target, arn), policy.Receives
			if err != nil || s.queues[settings.DeadLetters] == nil || policy.Receives < 1 || policy.Receives > 1000 {
				return nil, &Error{Code: "InvalidAttributeValue", Message: "Value " + value + " for parameter RedrivePolicy is invalid."}
			}
		case "MessageRetentionPeriod":
		default:
			return nil, &Error{Code: "InvalidAttributeName", Message: "Unknown Attribute " + name + "."}
		}
	}
	s.put(c.QueueName, settings)
	return object{"QueueUrl": "http://" + host + "/000000000000/" + c.QueueName}, nil
}

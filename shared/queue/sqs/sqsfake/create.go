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
// server.
func (s *Server) create(c call, host string) (any, *Error) {
	var settings Settings
	for name, value := range c.Attributes {
		var fault *Error
		switch name {
		case "VisibilityTimeout":
			settings.Visibility, fault = seconds(name, value, 0, maxVisibility)
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
			settings.Retention, fault = seconds(name, value, minRetention, maxRetention)
		default:
			return nil, &Error{Code: "InvalidAttributeName", Message: "Unknown Attribute " + name + "."}
		}
		if fault != nil {
			return nil, fault
		}
	}
	s.put(c.QueueName, settings)
	return object{"QueueUrl": "http://" + host + "/000000000000/" + c.QueueName}, nil
}

func seconds(name, value string, low, high int) (time.Duration, *Error) {
	n, err := strconv.Atoi(value)
	if err != nil || n < low || n > high {
		return 0, &Error{Code: "InvalidAttributeValue", Message: "Invalid value for the parameter " + name + "."}
	}
	return time.Duration(n) * time.Second, nil
}

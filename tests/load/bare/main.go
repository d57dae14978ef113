// Command bare is a Lambda function that does nothing: the floor of cold starts.
package main

import "github.com/aws/aws-lambda-go/lambda"

func main() { lambda.Start(func() {}) }

// Package localstack_test runs an installation on LocalStack as a deployment
// makes it: queues, secrets and a key, the built functions, and a REST API in
// front of them. `make localstack-test` starts what it needs.
package localstack_test

import (
	"archive/zip"
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/service/apigateway"
	"github.com/aws/aws-sdk-go-v2/service/lambda"
	"github.com/aws/aws-sdk-go-v2/service/lambda/types"

	"github.com/deskhand/deskhand/localstack/lambdaruntime"
)

// region is where everything is made.
const region = "eu-west-1"

// The machine that the suite runs on, as .ci/localstack-test leaves it.
var (
	bootstraps string // the folder of the built files
	endpoint   string // LocalStack's
	gateway    string // the address by which containers reach this machine
	sdk        aws.Config
	// incapable says why LocalStack's own Lambda cannot execute here; "" where
	// it can.
	incapable string
)

func TestMain(m *testing.M) {
	os.Exit(run(m))
}

func run(m *testing.M) int {
	ctx := context.Background()
	endpoint, gateway = os.Getenv("SQS_TEST_URL"), os.Getenv("DOCKER_GATEWAY")
	if endpoint == "" || gateway == "" || os.Getenv("TEST_DATABASE_URL") == "" || os.Getenv("VALKEY_TEST_URL") == "" {
		fmt.Fprintln(os.Stderr, "there is no LocalStack: run `make localstack-test`, which starts one")
		return 1
	}
	for name, value := range awsEnvironment() {
		must(os.Setenv(name, value))
	}
	var err error
	sdk, err = config.LoadDefaultConfig(ctx)
	must(err)
	bootstraps, err = os.MkdirTemp("", "bootstraps")
	must(err)
	defer func() { _ = os.RemoveAll(bootstraps) }()
	tried := make(chan string, 1) // while the functions are built
	go func() { tried <- probe(ctx, lambda.NewFromConfig(sdk)) }()
	build(ctx)
	incapable = <-tried
	does := "its REST API calls its own Lambda, which runs the built functions"
	if incapable != "" {
		does = "its REST API calls this project's Lambda runtime, not LocalStack's own, which cannot execute here: " + incapable
	}
	fmt.Printf("LocalStack is the image %s: %s\n", os.Getenv("LOCALSTACK_IS"), does)
	return m.Run()
}

// must ends the process, which has not begun to test.
func must(err error) {
	if err != nil {
		panic(err)
	}
}

// awsEnvironment is what leads the AWS SDK to LocalStack.
func awsEnvironment() map[string]string {
	return map[string]string{
		"AWS_ENDPOINT_URL": endpoint, "AWS_REGION": region, "AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test", "AWS_EC2_METADATA_DISABLED": "true",
	}
}

// build builds the functions as they are deployed, for this machine, and the
// operator's command.
func build(ctx context.Context) {
	files := map[string]string{"./cmd/deskhand": filepath.Join(bootstraps, "deskhand")}
	for _, name := range []string{"webhook", "enhance", "admin", "migrate"} {
		files["./functions/"+name] = bootstrap(name)
	}
	for name, file := range files {
		must(lambdaruntime.Build(ctx, "../../..", name, runtime.GOARCH, file)) // the product's own module
	}
}

func bootstrap(name string) string { return filepath.Join(bootstraps, name, "bootstrap") }

// zipped is a bootstrap file as Lambda takes it.
func zipped(file []byte) []byte {
	var b bytes.Buffer
	z := zip.NewWriter(&b)
	h := &zip.FileHeader{Name: "bootstrap", Method: zip.Deflate}
	h.SetMode(0o755)
	w, err := z.CreateHeader(h)
	must(err)
	_, err = w.Write(file)
	must(errors.Join(err, z.Close()))
	return b.Bytes()
}

// create makes a function in Lambda and waits until it is active.
func create(ctx context.Context, api *lambda.Client, name string, file []byte, env map[string]string) (arn string, err error) {
	architecture := types.ArchitectureX8664
	if runtime.GOARCH == "arm64" {
		architecture = types.ArchitectureArm64
	}
	out, err := api.CreateFunction(ctx, &lambda.CreateFunctionInput{
		FunctionName: &name, Runtime: types.RuntimeProvidedal2023, Handler: aws.String("bootstrap"), Timeout: aws.Int32(60), MemorySize: aws.Int32(512),
		Role: aws.String("arn:aws:iam::000000000000:role/" + name), Architectures: []types.Architecture{architecture},
		Code: &types.FunctionCode{ZipFile: zipped(file)}, Environment: &types.Environment{Variables: env},
	})
	if err != nil {
		return "", err
	}
	for deadline := time.Now().Add(3 * time.Minute); ; time.Sleep(200 * time.Millisecond) {
		f, err := api.GetFunction(ctx, &lambda.GetFunctionInput{FunctionName: &name})
		switch {
		case err != nil:
			return "", err
		case f.Configuration.State == types.StateActive:
			return *out.FunctionArn, nil
		case f.Configuration.State == types.StateFailed || time.Now().After(deadline):
			return "", fmt.Errorf("function %s is %s: %s", name, f.Configuration.State, aws.ToString(f.Configuration.StateReason))
		}
	}
}

// probe gives LocalStack's Lambda a function to run, and its words where it
// cannot. The function ends at once, which is no error of Lambda.
func probe(ctx context.Context, api *lambda.Client) (incapable string) {
	const name = "probe"
	_, err := create(ctx, api, name, []byte("#!/bin/sh\nexit 1\n"), nil)
	if err == nil {
		_, err = api.Invoke(ctx, &lambda.InvokeInput{FunctionName: aws.String(name), Payload: []byte(`{}`)})
	}
	if err == nil {
		return ""
	}
	return strings.Join(strings.Fields(err.Error()), " ")
}

// restAPI makes a REST API that takes every path, and gives its URL. The
// integration is for all of it: as the CDK app makes it, or with proxied
// requests to a URL.
func restAPI(t *testing.T, name string, integration apigateway.PutIntegrationInput) (url string) {
	t.Helper()
	api, ctx := apigateway.NewFromConfig(sdk), t.Context()
	made, err := api.CreateRestApi(ctx, &apigateway.CreateRestApiInput{Name: &name, BinaryMediaTypes: []string{"*/*"}})
	check(t, err)
	proxy, err := api.CreateResource(ctx, &apigateway.CreateResourceInput{RestApiId: made.Id, ParentId: made.RootResourceId, PathPart: aws.String("{proxy+}")})
	check(t, err)
	_, err = api.PutMethod(ctx, &apigateway.PutMethodInput{
		RestApiId: made.Id, ResourceId: proxy.Id, HttpMethod: aws.String("ANY"), AuthorizationType: aws.String("NONE"),
		RequestParameters: map[string]bool{"method.request.path.proxy": true},
	})
	check(t, err)
	integration.RestApiId, integration.ResourceId, integration.HttpMethod = made.Id, proxy.Id, aws.String("ANY")
	_, err = api.PutIntegration(ctx, &integration)
	check(t, err)
	_, err = api.CreateDeployment(ctx, &apigateway.CreateDeploymentInput{RestApiId: made.Id, StageName: aws.String("prod")})
	check(t, err)
	return endpoint + "/_aws/execute-api/" + *made.Id + "/prod"
}

// serve serves until t ends, where containers reach it, and gives the URL.
func serve(t *testing.T, h http.Handler) (url string) {
	t.Helper()
	l, err := net.Listen("tcp", net.JoinHostPort(gateway, "0"))
	check(t, err)
	server := &http.Server{Handler: h, ReadHeaderTimeout: 5 * time.Second}
	go func() { _ = server.Serve(l) }()
	t.Cleanup(func() { _ = server.Close() })
	return "http://" + l.Addr().String()
}

func check(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

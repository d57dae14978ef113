// Command infra describes Deskhand on AWS. The CDK's command runs it in this
// folder (cdk.json); `CDK_OUTDIR=cdk.out go run .` writes the same template
// without it, without an account and without a network.
package main

import (
	"encoding/json"
	"fmt"
	"maps"
	"os"

	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/jsii-runtime-go"
	"github.com/cdklabs/cdk-nag-go/cdknag/v2"
)

func main() {
	if err := synthesise(); err != nil {
		fmt.Fprintln(os.Stderr, "infra:", err)
		os.Exit(1)
	}
}

func synthesise() error {
	defer jsii.Close()
	context, err := readContext()
	if err != nil {
		return err
	}
	app, stage, err := newApp(context)
	if err != nil {
		return err
	}
	NewDeskhand(app, stage)
	app.Synth(nil)
	return nil
}

// newApp makes an app with the rules of AWS Solutions on it, and says which
// stage its context picks: what breaks a rule is not deployed.
func newApp(context map[string]any) (awscdk.App, Stage, error) {
	app := awscdk.NewApp(&awscdk.AppProps{Context: &context, AnalyticsReporting: jsii.Bool(false)})
	stages, err := ReadStages(app.Node().TryGetContext(jsii.String("stages")))
	if err != nil {
		return nil, Stage{}, err
	}
	name, _ := app.Node().TryGetContext(jsii.String("stage")).(string)
	stage, ok := stages[name]
	if !ok {
		return nil, Stage{}, fmt.Errorf("stage %q: not in cdk.context.json", name)
	}
	if image, _ := app.Node().TryGetContext(jsii.String("image")).(string); image != "" {
		stage.Cluster.Image = image
	}
	awscdk.Aspects_Of(app).Add(cdknag.NewAwsSolutionsChecks(&cdknag.NagPackProps{Verbose: jsii.Bool(true)}), nil)
	return app, stage, nil
}

// readContext reads the context as the CDK's command does, which passes its own
// on top: what `-c` says wins.
func readContext() (map[string]any, error) {
	var in struct {
		Context map[string]any `json:"context"`
	}
	var more map[string]any
	for name, into := range map[string]any{"cdk.json": &in, "cdk.context.json": &more} {
		text, err := os.ReadFile(name) //nolint:gosec // one of two names
		if err == nil {
			err = json.Unmarshal(text, into)
		}
		if err != nil {
			return nil, fmt.Errorf("read %s (run this in infra/): %w", name, err)
		}
	}
	maps.Copy(in.Context, more)
	return in.Context, nil
}

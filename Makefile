# Deskhand. `make` prints the targets.
SHELL := bash
GO    ?= go
TOOL  := $(GO) tool -modfile=tools/go.mod
ARGS  ?=
STAGE ?= dev

.DEFAULT_GOAL := help

help: ## Print the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  %-15s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

run: ## Start the product with demo data, on this machine alone (ARGS=--help for its options)
	@$(GO) run ./localstack $(ARGS)

dev: ## The same, restarted whenever a file is saved
	@$(TOOL) air -c localstack/air.toml

smoke: ## Create a ticket, send its webhook, wait for the note: against `make run`, or a product of its own
	@$(GO) run ./localstack smoke $(ARGS)

test: ## Run every test that needs only Go's, Debian's and npm's packages
	@.ci/test

sqs-test: ## Hold SQS, Secrets Manager and KMS to their promises against moto, found or installed (needs python3)
	@.ci/sqs-test

lambda-test: ## Run the built functions by a local Lambda runtime, on moto's SQS (needs python3)
	@.ci/lambda-test

localstack-test: ## Run an installation on LocalStack, Postgres and Valkey in containers: webhook to note
	@.ci/localstack-test

test-containers: ## Run the suites of Postgres, Valkey and River, and the smoke test, on Postgres and Valkey in containers
	@.ci/test-containers

eval: ## Judge notes; measure retrieval, the filters, and what is taken for noise, on real tickets (EVAL_DATA, default ../shared/data; ARGS=--json, or as deskhand eval retrieval --help says)
	@$(GO) run ./tests/evals/notes 1>&2
	@$(GO) run ./cmd/deskhand eval retrieval --data "$${EVAL_DATA:-../shared/data}" --baseline tests/evals/baseline.json --floors tests/evals/floors.json $(ARGS)
	@$(GO) run ./tests/filters --data "$${EVAL_DATA:-../shared/data}" 1>&2
	@set -o pipefail; $(GO) test ./shared/ticket -run TestRealTicketsAreNotTakenForNoise -count=1 -v -args -data "$$(realpath "$${EVAL_DATA:-../shared/data}")" | grep 'noise:\|^ok\|FAIL'

bench: ## Measure the accept path, webhook to note, and the functions' start (BENCH_ARGS=--quick: CI's ratios)
	@$(GO) run ./tests/load $(BENCH_ARGS)

ci: ## The other stages of a submission: fresh files, lint, smoke, SQS, Lambda, security, infra, LocalStack, containers, ratios, fuzzing
	@.ci/stages

security: ## Attack the product, and print what held for each OWASP item (.ci/security --full: as before a release)
	@.ci/security

long: ## What takes hours: full counts of the attacks, 60 s of fuzzing each, the full bench, large searches (COUNT, FUZZTIME, BENCH_ARGS, TICKETS: less)
	@.ci/long

lint: ## Check style and import rules
	@$(TOOL) golangci-lint run ./...
	@for m in serverless containers; do (cd tests/$$m && $(GO) tool -modfile=../../tools/go.mod golangci-lint run ./...) || exit 1; done
	@$(GO) tool -modfile=tools/actionlint/go.mod actionlint

restore-drill: ## Dump, destroy, restore, compare every row, smoke: the commands of docs/deployment.md (needs postgresql-client)
	@$(GO) test ./tests/e2e -run TestARestoreLosesNothing -count=1 -v

generate: ## Write the generated files again
	@$(GO) run ./cmd/deskhand docs > docs/configuration.md
	@$(GO) run ./tests/cost > .cost.md && mv .cost.md docs/cost.md
	@$(GO) run ./tests/gallery
	@$(GO) test ./shared/prompt ./shared/note ./shared/admin ./shared/audit ./shared/preview/page -run Golden -update > /dev/null && echo "generated files are written"

gallery: ## Write docs/gallery again: notes of many situations, and a page that shows them as a technician sees them
	@$(GO) run ./tests/gallery

verify: ## Prove the generated files fresh
	@$(GO) run ./cmd/deskhand docs | diff docs/configuration.md - && echo "docs/configuration.md is fresh"
	@$(GO) run ./tests/cost | diff docs/cost.md - && echo "docs/cost.md is fresh"
	@$(GO) run ./tests/gallery --check && echo "docs/gallery is fresh"

synth: bin/lambda ## Write the CloudFormation template of STAGE (default dev) to infra/cdk.out: no account, no npm
	@cd infra && CDK_OUTDIR=cdk.out CDK_CONTEXT_JSON='{"stage":"$(STAGE)"}' $(GO) run . && ls cdk.out/*.template.json

infra-test: bin/lambda ## Hold the template of every stage to the code and to the rules of AWS Solutions (needs node)
	@cd infra && $(GO) test ./...

bootstrap: build infra/node_modules ## Prepare the account and region of STAGE for the CDK, once
	@cd infra && npx --no-install cdk bootstrap -c stage=$(STAGE) $(ARGS)

diff: build infra/node_modules ## Show what a deployment of STAGE would change in AWS
	@cd infra && npx --no-install cdk diff -c stage=$(STAGE) $(ARGS)

deploy: build infra/node_modules ## Deploy STAGE to the AWS account of your credentials
	@cd infra && npx --no-install cdk deploy -c stage=$(STAGE) $(ARGS)

destroy: infra/node_modules ## Delete STAGE from AWS; keys, secrets, addresses and a last snapshot stay
	@cd infra && npx --no-install cdk destroy -c stage=$(STAGE) $(ARGS)

bin/lambda:
	@$(MAKE) -s build

infra/node_modules: infra/package-lock.json
	@cd infra && npm ci --no-audit --no-fund

build: ## Build the command and the functions into bin/, and the functions for Lambda (arm64) into bin/lambda/
	@CGO_ENABLED=0 $(GO) build -trimpath -ldflags='-s -w' -o bin/ ./cmd/... ./functions/...
	@for f in webhook enhance catalogue admin migrate; do \
		CGO_ENABLED=0 GOOS=linux GOARCH=arm64 $(GO) build -tags=lambda.norpc,grpcnotrace,nethttpomithttp2 -trimpath -ldflags='-s -w' -gcflags=github.com/...=-l -gcflags=golang.org/...=-l -gcflags=google.golang.org/...=-l -gcflags=go.opentelemetry.io/...=-l -gcflags=net/http/...=-l -gcflags=text/...=-l -gcflags=vendor/...=-l -gcflags=github.com/deskhand/...= -o bin/lambda/$$f/bootstrap ./functions/$$f || exit 1; \
	done
	@ls -sh bin bin/lambda/*

fuzz: ## Fuzz every parser for FUZZTIME (default 5s) each
	@.ci/fuzz $${FUZZTIME:-5s}

clean: ## Remove the local data and everything built
	@rm -rf "$$(readlink -f .local/postgres || echo .local)" .local bin coverage.out infra/cdk.out infra/node_modules && echo "removed .local, bin"

.PHONY: help run dev smoke eval gallery test sqs-test lambda-test localstack-test test-containers bench security long ci lint restore-drill generate verify synth infra-test bootstrap deploy diff destroy build fuzz clean

# Deskhand. `make` prints the targets.
SHELL := bash
GO    ?= go
TOOL  := $(GO) tool -modfile=tools/go.mod
ARGS  ?=

.DEFAULT_GOAL := help

help: ## Print the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  %-11s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

run: ## Start the product with demo data, on this machine alone (ARGS=--help for its options)
	@$(GO) run ./localstack $(ARGS)

dev: ## The same, restarted whenever a file is saved
	@$(TOOL) air -c localstack/air.toml

smoke: ## Create a ticket, send its webhook, wait for the note: against `make run`, or a product of its own
	@$(GO) run ./localstack smoke $(ARGS)

test: ## Run every test that needs only Go's, Debian's and npm's packages
	@.ci/test

sqs-test: ## Hold the SQS queue to its promises against moto, found or installed (needs python3)
	@.ci/sqs-test

lambda-test: ## Run the built functions by a local Lambda runtime, on moto's SQS (needs python3)
	@.ci/lambda-test

bench: ## Measure the accept path, webhook to note, and the functions' start (BENCH_ARGS=--quick: CI's ratios)
	@$(GO) run ./tests/load $(BENCH_ARGS)

ci: ## The other stages of a submission: fresh files, lint, smoke, SQS, Lambda, ratios, fuzzing
	@.ci/stages

security: ## Attack the product, and print what held for each OWASP item (.ci/security --full: as before a release)
	@.ci/security

lint: ## Check style and import rules
	@$(TOOL) golangci-lint run ./...
	@cd tests/serverless && $(GO) tool -modfile=../../tools/go.mod golangci-lint run ./...

generate: ## Write the generated files again
	@$(GO) run ./cmd/deskhand docs > docs/configuration.md
	@$(GO) test ./shared/prompt ./shared/enhance ./shared/admin ./shared/audit -run Golden -update > /dev/null && echo "generated files are written"

verify: ## Prove the generated files fresh
	@$(GO) run ./cmd/deskhand docs | diff docs/configuration.md - && echo "docs/configuration.md is fresh"

build: ## Build the command and the functions into bin/, and the functions for Lambda (arm64) into bin/lambda/
	@CGO_ENABLED=0 $(GO) build -trimpath -ldflags='-s -w' -o bin/ ./cmd/... ./functions/...
	@for f in webhook enhance catalogue admin; do \
		CGO_ENABLED=0 GOOS=linux GOARCH=arm64 $(GO) build -tags=lambda.norpc -trimpath -ldflags='-s -w' -o bin/lambda/$$f/bootstrap ./functions/$$f || exit 1; \
	done
	@ls -sh bin bin/lambda/*

fuzz: ## Fuzz every parser for FUZZTIME (default 5s) each
	@.ci/fuzz $${FUZZTIME:-5s}

clean: ## Remove the local data and everything built
	@rm -rf "$$(readlink -f .local/postgres || echo .local)" .local bin coverage.out && echo "removed .local, bin"

.PHONY: help run dev smoke test sqs-test lambda-test bench security ci lint generate verify build fuzz clean

package lambdaruntime

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"slices"
)

// Flags are those of go build for what is deployed; `make build` has the same.
// lambda.norpc leaves out the protocol of an older runtime. grpcnotrace leaves
// out gRPC's debug pages, whose templates call methods by name: with them, the
// linker keeps every method of every library. nethttpomithttp2 leaves out
// HTTP/2: an instance does one thing at a time, and every server that it calls
// has HTTP/1.1. Libraries are compiled without inlining, for size, and so is what
// waits for the network in the standard library; the product and the rest, with
// it.
var Flags = []string{"-tags=lambda.norpc,grpcnotrace,nethttpomithttp2", "-trimpath", "-ldflags=-s -w", "-gcflags=github.com/...=-l", "-gcflags=golang.org/...=-l", "-gcflags=google.golang.org/...=-l", "-gcflags=go.opentelemetry.io/...=-l", "-gcflags=net/http/...=-l", "-gcflags=text/...=-l", "-gcflags=vendor/...=-l", "-gcflags=github.com/deskhand/...="}

// Build compiles a package of the module in dir as it is deployed, for Linux on
// this architecture ("amd64", "arm64"), into file.
func Build(ctx context.Context, dir, pkg, arch, file string) error {
	build := exec.CommandContext(ctx, "go", append([]string{"build", "-o", file}, append(slices.Clone(Flags), pkg)...)...)
	build.Dir = dir
	build.Env = append(os.Environ(), "CGO_ENABLED=0", "GOOS=linux", "GOARCH="+arch)
	if out, err := build.CombinedOutput(); err != nil {
		return fmt.Errorf("build %s as it is deployed: %w\n%s", pkg, err, out)
	}
	return nil
}

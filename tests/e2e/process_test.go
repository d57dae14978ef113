package e2e_test

import (
	"fmt"
	"maps"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"time"
)

// binaries are functions as they are deployed, each built when it is first
// needed.
type binaries map[string]func() (path string, err error)

// sound are the functions of the product.
var sound = binaries{
	"webhook": sync.OnceValues(func() (string, error) { return buildFunction("webhook") }),
	"enhance": sync.OnceValues(func() (string, error) { return buildFunction("enhance") }),
	"admin":   sync.OnceValues(func() (string, error) { return buildFunction("admin") }),
}

// with gives the same binaries with another one for a function.
func (b binaries) with(function string, build func() (string, error)) binaries {
	b = maps.Clone(b)
	b[function] = build
	return b
}

// builds is the folder of everything built; TestMain removes it.
var builds string

// buildFunction builds a function into a folder of its own, with further flags
// of go build where given.
func buildFunction(function string, flags ...string) (string, error) {
	dir, err := os.MkdirTemp(builds, function)
	if err != nil {
		return "", err
	}
	path := filepath.Join(dir, function)
	args := append(append([]string{"build"}, flags...), "-o", path, "../../functions/"+function)
	out, err := exec.Command("go", args...).CombinedOutput()
	if err != nil {
		return "", fmt.Errorf("%w\n%s", err, out)
	}
	return path, nil
}

// process is a function that runs as a process of its own.
type process struct {
	*exec.Cmd
	url string
	sqs *front // nil on Postgres
}

// start runs a function on the world's configuration, with further variables
// where given, until the test ends.
func (w *world) start(function string, env ...string) *process {
	w.t.Helper()
	path, err := w.built[function]()
	if err != nil {
		w.t.Fatal(err)
	}
	addr := freeAddr(w.t)
	p := &process{Cmd: exec.Command(path), url: "http://" + addr}
	p.Env = append(os.Environ(),
		"DATABASE_URL="+w.cfg.DatabaseURL.Reveal(), "REDIS_URL="+w.cfg.RedisURL.Reveal(), "SEALING_KEY="+w.cfg.SealingKey.Reveal(),
		"OPENAI_BASE_URL="+w.cfg.OpenAIBaseURL, "OPENAI_API_KEY=k", "HTTP_ADDR="+addr,
	)
	if w.cfg.QueueURL == "" {
		p.Env = append(p.Env, "DATABASE_QUEUE_URL="+w.cfg.DatabaseQueueURL.Reveal())
	} else {
		p.sqs = w.front()
		p.Env = append(p.Env, "AWS_ENDPOINT_URL_SQS="+p.sqs.URL,
			"QUEUE_URL="+w.cfg.QueueURL, "QUEUE_DEAD_URL="+w.cfg.QueueDeadURL,
			"CATALOGUE_QUEUE_URL="+w.cfg.CatalogueQueueURL, "CATALOGUE_QUEUE_DEAD_URL="+w.cfg.CatalogueQueueDeadURL)
	}
	p.Env = append(p.Env, env...)
	p.Stdout, p.Stderr = w.log, w.log
	if err := p.Start(); err != nil {
		w.t.Fatal(err)
	}
	w.t.Cleanup(p.kill)
	return p
}

func (p *process) kill() {
	_ = p.Process.Kill() // it may have ended
	_ = p.Wait()
}

// takesWebhooks runs the webhook function as a process, and waits until it is
// ready.
func (w *world) takesWebhooks() *process {
	w.t.Helper()
	p := w.start("webhook")
	w.url = p.url
	w.eventually("the webhook function is ready", 20*time.Second, func() bool {
		code, _ := w.get("/readyz")
		return code == http.StatusOK
	})
	return p
}

// bury kills a process, lets what it left behind go on, and lets the time pass
// for which its message and its lease are still its own.
func (w *world) bury(p *process, open func()) {
	w.t.Helper()
	p.kill()
	open()
	if !w.slowly {
		w.messagesRunOut(p)
		w.leasesRunOut()
	}
}

// messagesRunOut makes visible what a dead process received.
func (w *world) messagesRunOut(p *process) {
	w.t.Helper()
	if p.sqs != nil {
		p.sqs.end()
		p.sqs.runOut(w.t)
	}
}

func (w *world) leasesRunOut() {
	w.t.Helper()
	if _, err := w.owner.Exec(w.t.Context(), "UPDATE ticket_leases SET until = clock_timestamp()"); err != nil {
		w.t.Fatal(err)
	}
}

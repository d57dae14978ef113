package lambdaruntime

import (
	"context"
	"crypto/rand"
	"fmt"
	"maps"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"time"
)

// instance is one execution environment: a process with a Runtime API of its
// own. It does one invocation at a time.
type instance struct {
	f      *Function
	cmd    *exec.Cmd
	server *http.Server
	logs   string // the name of its log stream

	ready  chan struct{}   // gets one for each /next that waits
	work   chan invocation // to the /next that waits
	ends   chan ending     // from /response and /error
	failed chan Failure    // from /init/error
	exited chan struct{}   // closed when the process has ended
	closed chan struct{}   // closed when the server is to stop

	mu         sync.Mutex
	current    string          // request id of what runs; "" for none
	extensions map[string]bool // identifiers of the registered extensions
	once       sync.Once
}

// invocation is what /next gives out.
type invocation struct {
	id       string
	payload  []byte
	deadline time.Time
}

// ending is how an invocation ended.
type ending struct {
	payload []byte
	failed  string // FunctionError
	how     how
}

type how int

const (
	answered how = iota
	timedOut
	crashed
)

// launch starts a process and waits until it asks for its first invocation.
func (f *Function) launch() (*instance, *Failure) {
	// An instance outlives the invocation that it is started for: no context.
	ctx := context.Background()
	listener, err := new(net.ListenConfig).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return nil, &Failure{Type: "Runtime.Unknown", Message: err.Error()}
	}
	id := uuid()
	i := &instance{
		f: f, logs: time.Now().UTC().Format("2006/01/02") + "/[$LATEST]" + strings.ReplaceAll(id, "-", ""),
		ready: make(chan struct{}, 1), work: make(chan invocation), ends: make(chan ending, 1),
		failed: make(chan Failure, 1), exited: make(chan struct{}), closed: make(chan struct{}), extensions: map[string]bool{},
	}
	i.server = &http.Server{Handler: i.api(), ReadHeaderTimeout: 5 * time.Second}
	go i.server.Serve(listener) //nolint:errcheck // ends with the instance
	path, err := filepath.Abs(f.Bootstrap)
	if err != nil {
		path = f.Bootstrap
	}
	i.cmd = exec.CommandContext(ctx, path) //nolint:gosec // requests choose among functions, never their files
	i.cmd.Dir = filepath.Dir(path)
	i.cmd.Env = i.environment(listener.Addr().String())
	if f.Output != nil {
		i.cmd.Stdout = output{f}
		i.cmd.Stderr = i.cmd.Stdout
	}
	if err := i.cmd.Start(); err != nil {
		i.release()
		return nil, &Failure{Type: "Runtime.InvalidEntrypoint", Message: err.Error()}
	}
	go func() {
		_ = i.cmd.Wait() // its state is in ProcessState
		close(i.exited)
	}()
	if failure := i.initialised(); failure != nil {
		i.kill()
		<-i.exited
		i.release()
		return nil, failure
	}
	return i, nil
}

// initialised waits for the end of the init phase.
func (i *instance) initialised() *Failure {
	limit := i.f.InitTimeout
	if limit == 0 {
		limit = initLimit
	}
	late := time.NewTimer(limit)
	defer late.Stop()
	select {
	case <-i.ready:
		return nil
	case failure := <-i.failed:
		return &failure
	case <-i.exited:
		select {
		case failure := <-i.failed: // it told why before it ended
			return &failure
		default:
			return i.exit()
		}
	case <-late.C:
		return &Failure{Type: "Sandbox.Timedout", Message: fmt.Sprintf("Init phase timed out after %.2f seconds", limit.Seconds())}
	}
}

// environment is what Lambda gives to a process, with the function's own.
func (i *instance) environment(api string) []string {
	dir := filepath.Dir(i.cmd.Path)
	env := map[string]string{
		"AWS_REGION": region, "AWS_DEFAULT_REGION": region,
		"AWS_ACCESS_KEY_ID": "local", "AWS_SECRET_ACCESS_KEY": "local", "AWS_SESSION_TOKEN": "local",
		"LANG": "en_US.UTF-8", "TZ": ":UTC", "PATH": "/usr/local/bin:/usr/bin:/bin:/opt/bin",
	}
	maps.Copy(env, i.f.Env)
	maps.Copy(env, map[string]string{ // reserved
		"AWS_LAMBDA_RUNTIME_API": api, "_HANDLER": "bootstrap", "LAMBDA_TASK_ROOT": dir, "LAMBDA_RUNTIME_DIR": "/var/runtime",
		"AWS_LAMBDA_FUNCTION_NAME": i.f.Name, "AWS_LAMBDA_FUNCTION_VERSION": "$LATEST", "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": "512",
		"AWS_LAMBDA_LOG_GROUP_NAME": "/aws/lambda/" + i.f.Name, "AWS_LAMBDA_LOG_STREAM_NAME": i.logs,
		"AWS_LAMBDA_INITIALIZATION_TYPE": "on-demand",
	})
	list := make([]string, 0, len(env))
	for name, value := range env {
		list = append(list, name+"="+value)
	}
	return slices.Sorted(slices.Values(list))
}

// invoke runs one invocation, and returns when the process asks for the next
// one, or is gone. After a time-out it is killed.
func (i *instance) invoke(id string, payload []byte, limit time.Duration) ending {
	late := time.NewTimer(limit)
	defer late.Stop()
	i.begin(id)
	defer i.begin("")
	timeout := ending{how: timedOut, failed: "Unhandled", payload: Failure{
		Type: "Sandbox.Timedout", Message: fmt.Sprintf("RequestId: %s Error: Task timed out after %.2f seconds", id, limit.Seconds()),
	}.json()}
	select {
	case i.work <- invocation{id, payload, time.Now().Add(limit)}:
	case <-i.exited:
		return i.gone(id)
	case <-late.C:
		i.kill()
		<-i.exited
		return timeout
	}
	var end ending
	select {
	case end = <-i.ends:
	case <-i.exited:
		select {
		case end = <-i.ends: // it answered, and ended
			return end
		default:
			return i.gone(id)
		}
	case <-late.C:
		i.kill()
		<-i.exited
		return timeout
	}
	select { // an invocation is over when the process asks for the next one
	case <-i.ready:
	case <-i.exited:
	case <-late.C:
		i.kill()
		<-i.exited
	}
	return end
}

func (i *instance) begin(id string) {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.current = id
}

// gone is the ending of an invocation whose process ended.
func (i *instance) gone(id string) ending {
	failure := i.exit()
	failure.Message = "RequestId: " + id + " Error: " + failure.Message
	return ending{how: crashed, failed: "Unhandled", payload: failure.json()}
}

func (i *instance) exit() *Failure {
	message := "Runtime exited without providing a reason"
	if s := i.cmd.ProcessState; s != nil && !s.Success() {
		message = "Runtime exited with error: " + s.String()
	}
	return &Failure{Type: "Runtime.ExitError", Message: message}
}

func (i *instance) alive() bool {
	select {
	case <-i.exited:
		return false
	default:
		return true
	}
}

func (i *instance) kill() { _ = i.cmd.Process.Kill() } // it may be gone

// stopped tells whether the process stands still, as Linux has it.
func (i *instance) stopped() bool {
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", i.cmd.Process.Pid))
	_, state, _ := strings.Cut(string(stat), ") ") // after the program's name
	return err == nil && strings.HasPrefix(state, "T")
}

// release stops the instance's API.
func (i *instance) release() {
	i.once.Do(func() {
		close(i.closed)
		_ = i.server.Close()
	})
}

// shutdown ends the process, and tells whether it did so by itself.
func (i *instance) shutdown() (drained bool) {
	defer i.release()
	i.mu.Lock()
	extended := len(i.extensions) > 0
	i.mu.Unlock()
	if extended {
		_ = i.cmd.Process.Signal(syscall.SIGTERM) // it may be gone
		select {
		case <-i.exited:
			return i.cmd.ProcessState.Success()
		case <-time.After(shutdownInternal):
		}
	}
	i.kill()
	<-i.exited
	return false
}

// output writes for several processes.
type output struct{ f *Function }

func (o output) Write(p []byte) (int, error) {
	o.f.print.Lock()
	defer o.f.print.Unlock()
	return o.f.Output.Write(p)
}

func uuid() string {
	var b [16]byte
	_, _ = rand.Read(b[:]) // never fails
	b[6], b[8] = b[6]&0x0f|0x40, b[8]&0x3f|0x80
	return fmt.Sprintf("%x-%x-%x-%x-%x", b[:4], b[4:6], b[6:8], b[8:10], b[10:])
}

// Package lambdaruntime runs built Lambda functions on one machine, to test
// what is deployed. It starts their bootstrap files as processes, speaks the
// Lambda Runtime API to them, and has what is needed of the services in front:
// an API Gateway, an SQS event source mapping, and schedules.
//
// It is a test tool, written from AWS's documentation. It is not AWS Lambda and
// not LocalStack: there is no sandbox, no memory limit, no IAM.
package lambdaruntime

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"sync"
	"syscall"
	"time"
)

// The limits that AWS documents.
const (
	maxPayload       = 6 << 20          // of a synchronous invocation, either way
	initLimit        = 10 * time.Second // of the init phase
	defaultTimeout   = 3 * time.Second
	shutdownInternal = 500 * time.Millisecond // from SIGTERM to SIGKILL, with an internal extension
)

// ErrThrottled says that all instances are busy and Concurrency is reached.
var ErrThrottled = errors.New("lambdaruntime: throttled (TooManyRequestsException)")

// ErrTooLarge says that the payload of an invocation is over 6 MB.
var ErrTooLarge = errors.New("lambdaruntime: the payload is over 6 MB (RequestTooLargeException)")

// Function is one deployed function. Set the fields before the first Invoke;
// end it with Close.
type Function struct {
	Name      string
	Bootstrap string // the built file; its folder is the working directory
	// Env is the function's own variables. The process gets these and Lambda's,
	// and nothing of this process's environment.
	Env         map[string]string
	Timeout     time.Duration // of one invocation; 3 s where zero
	InitTimeout time.Duration // 10 s where zero
	Concurrency int           // instances at most; 10 where zero
	Output      io.Writer     // what the processes print; nil for nowhere

	mu        sync.Mutex
	idle      []*instance
	instances map[*instance]struct{}
	reserved  int // instances that run, start or end
	closed    bool
	backoff   backoff
	running   sync.WaitGroup
	stats     Stats
	print     sync.Mutex
}

// Stats counts what a function did.
type Stats struct {
	Invocations, Cold, InitFailures, Timeouts, Crashes, Throttled int

	Instances int // now
	Drained   int // ended by themselves after SIGTERM
}

// Result is how an invocation ended. A function error is no Go error.
type Result struct {
	RequestID string
	// Payload is the function's answer; where FunctionError is set, it is
	// {"errorMessage":…,"errorType":…}.
	Payload       []byte
	FunctionError string // "" or "Unhandled"
	Cold          bool   // an instance was started for it
	Init          time.Duration
	Duration      time.Duration // of the invocation, without Init
}

// Failure is the payload of a function error.
type Failure struct {
	Message string `json:"errorMessage"`
	Type    string `json:"errorType"`
}

// Failure gives the function error; the zero Failure where there is none.
func (r Result) Failure() (f Failure) {
	if r.FunctionError != "" {
		_ = json.Unmarshal(r.Payload, &f) // a function may report anything
	}
	return f
}

// Invoke runs the function once, synchronously, on an idle instance or a new
// one. ErrThrottled where neither is to be had. An invocation goes on when ctx
// ends, as on Lambda; Invoke then returns ctx's error.
func (f *Function) Invoke(ctx context.Context, payload []byte) (Result, error) {
	if len(payload) > maxPayload {
		return Result{}, ErrTooLarge
	}
	i, err := f.take()
	if err != nil {
		return Result{}, err
	}
	done := make(chan Result, 1)
	go func() {
		defer f.running.Done()
		done <- f.run(i, payload)
	}()
	select {
	case r := <-done:
		return r, nil
	case <-ctx.Done():
		return Result{}, ctx.Err()
	}
}

// take gives an idle instance, or nil with the right to start one. The
// invocation counts as running.
func (f *Function) take() (*instance, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.closed {
		return nil, fmt.Errorf("lambdaruntime: function %s is closed", f.Name)
	}
	for len(f.idle) > 0 {
		i := f.idle[len(f.idle)-1]
		f.idle = f.idle[:len(f.idle)-1]
		if i.alive() {
			f.running.Add(1)
			f.stats.Invocations++
			return i, nil
		}
		f.forget(i)
	}
	limit := f.Concurrency
	if limit == 0 {
		limit = 10
	}
	if f.reserved >= limit {
		f.stats.Throttled++
		return nil, ErrThrottled
	}
	f.reserved++
	f.running.Add(1)
	f.stats.Invocations++
	return nil, nil //nolint:nilnil // the right to start one
}

// run invokes on i, or on a new instance, and gives the instance back.
func (f *Function) run(i *instance, payload []byte) (r Result) {
	r.RequestID = uuid()
	if i == nil {
		if r.Cold = true; !f.start(&i, &r) {
			return r
		}
	}
	start := time.Now()
	end := i.invoke(r.RequestID, payload, f.timeout())
	r.Payload, r.FunctionError, r.Duration = end.payload, end.failed, time.Since(start)
	f.mu.Lock()
	defer f.mu.Unlock()
	switch end.how {
	case timedOut:
		f.stats.Timeouts++
	case crashed:
		f.stats.Crashes++
	}
	if i.alive() && !f.closed {
		f.idle = append(f.idle, i)
	} else if !f.closed {
		f.forget(i)
	}
	return r
}

// start brings up a new instance, or reports in r why there is none. After
// failures in a row it waits longer and longer before it tries again, and
// repeats the last failure until then.
func (f *Function) start(i **instance, r *Result) bool {
	f.mu.Lock()
	last, wait := f.backoff.last, time.Now().Before(f.backoff.until)
	f.mu.Unlock()
	var failure *Failure
	if failure = last; !wait {
		start := time.Now()
		*i, failure = f.launch()
		r.Init = time.Since(start)
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if failure != nil {
		if !wait {
			f.stats.InitFailures++
			f.backoff.failed(failure)
		}
		f.reserved--
		r.Payload, r.FunctionError = failure.json(), "Unhandled"
		return false
	}
	f.backoff = backoff{}
	f.stats.Cold++
	if f.instances == nil {
		f.instances = map[*instance]struct{}{}
	}
	f.instances[*i] = struct{}{}
	return true
}

func (f Failure) json() []byte {
	b, err := json.Marshal(f)
	if err != nil {
		panic(err) // two strings
	}
	return b
}

// backoff spaces attempts to start a function whose init fails.
type backoff struct {
	last  *Failure
	times int
	until time.Time
}

func (b *backoff) failed(f *Failure) {
	b.last = f
	b.times = min(b.times+1, 6)
	b.until = time.Now().Add(50 * time.Millisecond << b.times) // 0.1 s to 3.2 s
}

// forget takes a dead instance off the books. f.mu is held.
func (f *Function) forget(i *instance) {
	if _, there := f.instances[i]; there {
		delete(f.instances, i)
		f.reserved--
	}
	i.release()
}

// Stats gives the counts.
func (f *Function) Stats() Stats {
	f.mu.Lock()
	defer f.mu.Unlock()
	s := f.stats
	s.Instances = len(f.instances)
	return s
}

// Kill kills every instance with SIGKILL, as a host that fails does, and tells
// how many when they are dead. What they were doing fails with
// Runtime.ExitError.
func (f *Function) Kill() int {
	living := f.living()
	for _, i := range living {
		i.kill()
	}
	for _, i := range living {
		<-i.exited
	}
	return len(living)
}

// Freeze stops every instance where it is, with SIGSTOP, and tells how many
// when they stand still: they hang, until the time of their invocation is over
// and they are killed.
func (f *Function) Freeze() int {
	living := f.living()
	for _, i := range living {
		_ = i.cmd.Process.Signal(syscall.SIGSTOP) // it may be gone
		for i.alive() && !i.stopped() {
			time.Sleep(time.Millisecond)
		}
	}
	return len(living)
}

// living gives the instances that were started and have not ended.
func (f *Function) living() (living []*instance) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for i := range f.instances {
		if i.alive() {
			living = append(living, i)
		}
	}
	return living
}

// Close takes no more invocations, waits for the running ones, and ends the
// instances as Lambda does: SIGTERM, and half a second later SIGKILL, where an
// extension is registered; otherwise SIGKILL at once.
func (f *Function) Close() {
	f.mu.Lock()
	f.closed = true
	f.mu.Unlock()
	f.running.Wait()
	f.mu.Lock()
	defer f.mu.Unlock()
	drained := make(chan bool, len(f.instances))
	for i := range f.instances {
		go func() { drained <- i.shutdown() }()
	}
	for range f.instances {
		if <-drained {
			f.stats.Drained++
		}
	}
	f.instances, f.idle = nil, nil
}

func (f *Function) timeout() time.Duration {
	if f.Timeout == 0 {
		return defaultTimeout
	}
	return f.Timeout
}

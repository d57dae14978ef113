package app

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"
	"unicode"

	"github.com/deskhand/deskhand/shared/doctor"
	"github.com/deskhand/deskhand/shared/metric"
	"github.com/deskhand/deskhand/shared/operator"
	"github.com/deskhand/deskhand/shared/webhook"
)

// Calls gives an operator.Program's Call: a function runs a command line for
// whoever is at this machine. invoke, which gives a function a payload and waits
// for its answer, comes from outside: the functions themselves need no client
// of Lambda, and do not carry one.
func Calls(invoke func(ctx context.Context, function string, payload []byte) ([]byte, error)) func(context.Context, string, []string) (operator.Answer, error) {
	return func(ctx context.Context, function string, args []string) (a operator.Answer, err error) {
		payload, err := json.Marshal(operator.Order{Command: args, Operator: whoami()})
		if err != nil {
			return a, err
		}
		raw, err := invoke(ctx, function, payload)
		if err != nil {
			return a, err
		}
		if err := strictly(raw, &a); err != nil {
			return a, fmt.Errorf("function %s gives another answer than deskhand's function admin: is it that one, and of this version?", function)
		}
		return a, nil
	}
}

// command is the other side of Calls, in the function. Its errors do not quote
// the order, which may hold a credential.
func (a *App) command(ctx context.Context, payload []byte) ([]byte, error) {
	var o operator.Order
	if err := strictly(payload, &o); err != nil || len(o.Command) == 0 {
		return nil, errors.New(`admin: want {"command":["tenant","list"],"operator":"anna"}, and nothing else`)
	}
	actor := claimed(o.Operator)
	answer := a.Answer(ctx, operator.Program{
		Tools:  Tools,
		Open:   func(ctx context.Context) (*operator.Desk, error) { return a.deskOf(ctx, actor) },
		Doctor: func(ctx context.Context) []doctor.Result { return doctor.Examine(ctx, a.checks()) },
		Sign:   webhook.Sign,
		Now:    time.Now,
	}, o.Command)
	a.Log.InfoContext(ctx, "command", "operation", "command", "actor", actor, "exit", answer.Exit)
	text, err := written(answer)
	if err == nil && len(text) > maxAnswer {
		return written(operator.TooLarge())
	}
	return text, err
}

// maxAnswer is the largest answer that Lambda takes.
const maxAnswer = 6 << 20

// deskOf is the desk of this process for one command. The process goes on
// after it.
func (a *App) deskOf(ctx context.Context, actor string) (*operator.Desk, error) {
	err := a.Load(ctx)
	if a.loaded() != nil {
		return nil, err
	}
	if err != nil { // the command may be the one that mends it
		a.Log.WarnContext(ctx, "the directory is not complete", "operation", "command", "error", err.Error())
	}
	own := *a
	own.Actor = actor
	d := own.desk()
	d.Caller.Request = cmp.Or(metric.RequestOf(ctx), d.Caller.Request) // CloudTrail has it, too
	d.Close = func(context.Context) error { return nil }
	return d, nil
}

// claimed is the actor of an order. AWS has checked who may invoke the function,
// and does not tell it who did: the name is what the sender wrote.
func claimed(operator string) string {
	name := strings.Map(func(r rune) rune {
		if !unicode.IsPrint(r) {
			return -1
		}
		return r
	}, operator)
	if runes := []rune(name); len(runes) > 64 {
		name = string(runes[:64])
	}
	if name == "" {
		return "function"
	}
	return "function:claimed:" + name
}

// strictly reads one JSON object that has no other fields than v's.
func strictly(raw []byte, v any) error {
	d := json.NewDecoder(bytes.NewReader(raw))
	d.DisallowUnknownFields()
	if err := d.Decode(v); err != nil {
		return err
	}
	if d.More() {
		return errors.New("there is more after the object")
	}
	return nil
}

// written is the answer as JSON, without the escapes for HTML, which are long.
func written(a operator.Answer) ([]byte, error) {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	err := e.Encode(a)
	return bytes.TrimSpace(b.Bytes()), err
}

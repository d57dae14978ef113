package cli

import (
	"context"
	"errors"
	"fmt"

	"github.com/deskhand/deskhand/shared/secret"
)

// Rotation is one step in the life of the keys in SEALING_KEY.
type Rotation string

// The steps, in their order.
const (
	AddKey    Rotation = "add"    // a new key, which opens and does not seal yet
	UseKey    Rotation = "rotate" // the newest key seals; a new one is added where it does already
	RetireKey Rotation = "retire" // every key but the one that seals goes
)

type keygenCmd struct {
	Add    bool `xor:"step" help:"Add a key to SEALING_KEY that opens and does not seal yet."`
	Rotate bool `xor:"step" help:"Have the newest key of SEALING_KEY seal; add one where it does already."`
	Retire bool `xor:"step" help:"Drop all keys of SEALING_KEY but the one that seals."`

	KMS string `name:"kms" placeholder:"ARN" help:"Encrypt what is printed with this key of AWS KMS: the value of SEALING_KMS_KEY then. With a step, the key of the configuration where it is left out."`
}

// Help says how a rotation goes.
func (keygenCmd) Help() string {
	return "With a flag it prints the SEALING_KEY of the configuration, changed. A rotation without a break, where several processes run: --add, start all of them anew with it, " +
		"--rotate, start them anew, deskhand reseal, and --retire after 15 days: docs/runbooks/secrets.md.\n\n" +
		"With --kms, a SEALING_KEY in the clear becomes an encrypted one, and one of another KMS key one of this.\n\n" +
		"Example: deskhand keygen --kms arn:aws:kms:eu-west-1:123456789012:key/..."
}

func (c keygenCmd) Run(ctx context.Context, p *Program) error {
	key, err := c.key(ctx, p)
	if err != nil {
		return err
	}
	fmt.Fprintln(p.Out, key.Reveal())
	return nil
}

func (c keygenCmd) key(ctx context.Context, p *Program) (secret.Text, error) {
	switch {
	case c.Add:
		return p.Rotate(ctx, AddKey, c.KMS)
	case c.Rotate:
		return p.Rotate(ctx, UseKey, c.KMS)
	case c.Retire:
		return p.Rotate(ctx, RetireKey, c.KMS)
	}
	return p.Keygen(ctx, c.KMS)
}

// Resealed counts connections.
type Resealed struct {
	Done    int // sealed again
	Already int // under the newest key before
}

type resealCmd struct{}

// Help says when.
func (resealCmd) Help() string {
	return "After deskhand keygen --rotate, when every process has the new SEALING_KEY. It goes on where it was interrupted when it is run again."
}

func (resealCmd) Run(ctx context.Context, p *Program) error {
	return p.with(ctx, func(d *Desk) error {
		n, err := d.Reseal(ctx)
		fmt.Fprintf(p.Out, "%d connections sealed again, %d were under the newest key already\n", n.Done, n.Already)
		if err != nil {
			return errors.Join(err, errors.New("run it again: it goes on with those that are left"))
		}
		return nil
	})
}

package pgserver

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"os"
	"os/user"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// account is who the server runs as. PostgreSQL refuses to run as root.
type account struct {
	name       string
	credential *syscall.Credential // nil: as we are
}

// serverAccount is this process's own user, or where that is root, "postgres",
// else "nobody".
func serverAccount() (account, error) {
	if os.Geteuid() != 0 {
		return account{name: strconv.Itoa(os.Geteuid())}, nil
	}
	for _, name := range []string{"postgres", "nobody"} {
		u, err := user.Lookup(name)
		if err != nil {
			continue
		}
		uid, errU := strconv.ParseUint(u.Uid, 10, 32)
		gid, errG := strconv.ParseUint(u.Gid, 10, 32)
		if err := errors.Join(errU, errG); err != nil {
			return account{}, fmt.Errorf("user %s: %w", name, err)
		}
		return account{name: name, credential: &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}}, nil
	}
	return account{}, errors.New("PostgreSQL does not run as root, and there is no user postgres or nobody: add one (useradd --system postgres), or run this as another user")
}

// chown gives a file to the account.
func (a account) chown(path string) error {
	if a.credential == nil {
		return nil
	}
	return os.Lchown(path, int(a.credential.Uid), int(a.credential.Gid))
}

// ErrUnreachable says that the user as whom PostgreSQL runs cannot enter the
// folder: a checkout under root's home, for example.
var ErrUnreachable = errors.New("the folder cannot be reached")

// folder makes dir where it is missing, gives its absolute path, and checks
// that the account can reach what lies in it.
func folder(dir string, as account) (string, error) {
	if dir == "" {
		return "", errors.New("Options.Dir is empty")
	}
	dir, err := filepath.Abs(dir)
	if err != nil {
		return "", err
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return "", err
	}
	if dir, err = filepath.EvalSymlinks(dir); err != nil {
		return "", err
	}
	for at := dir; as.credential != nil; at = filepath.Dir(at) {
		info, err := os.Stat(at)
		if err != nil {
			return "", err
		}
		if !as.mayEnter(info) {
			return "", fmt.Errorf("%w: user %s, as whom PostgreSQL runs, cannot enter %s (%s): run `chmod o+x %s`, or choose another folder",
				ErrUnreachable, as.name, at, info.Mode(), at)
		}
		if at == filepath.Dir(at) {
			break
		}
	}
	return dir, nil
}

func (a account) mayEnter(dir os.FileInfo) bool {
	of := dir.Sys().(*syscall.Stat_t)
	switch {
	case of.Uid == a.credential.Uid:
		return dir.Mode()&0o100 != 0
	case of.Gid == a.credential.Gid:
		return dir.Mode()&0o010 != 0
	default:
		return dir.Mode()&0o001 != 0
	}
}

// lockFolder takes the folder for this server. The lock is free again when the
// last process that inherited it has ended, kill -9 or not.
func lockFolder(ctx context.Context, dir string) (*os.File, error) {
	f, err := os.OpenFile(filepath.Join(dir, "lock"), os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, lockedFor)
	defer cancel()
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for {
		err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
		if err == nil {
			return f, nil
		}
		select {
		case <-ctx.Done():
			_ = f.Close()
			return nil, fmt.Errorf("another server runs in this folder: stop it, or choose another folder (%w)", err)
		case <-tick.C:
		}
	}
}

// initialise makes the data and the owner's password where there are none. The
// data get their name when they are complete, so an interrupted attempt leaves
// nothing that looks like a database.
func (s *Server) initialise(ctx context.Context, log func(string)) error {
	passwordFile := filepath.Join(s.dir, "password")
	if _, err := os.Stat(filepath.Join(s.data(), "PG_VERSION")); err == nil {
		password, err := os.ReadFile(passwordFile)
		if err != nil {
			return fmt.Errorf("the data have an owner's password that is lost; remove %s to begin anew: %w", s.data(), err)
		}
		s.password = strings.TrimSpace(string(password))
		return nil
	}
	log("making a new PostgreSQL database in " + s.data())
	s.password = rand.Text()
	if err := os.WriteFile(passwordFile, []byte(s.password), 0o600); err != nil {
		return err
	}
	fresh := s.data() + ".new"
	if err := os.RemoveAll(fresh); err != nil {
		return err
	}
	if err := os.Mkdir(fresh, 0o700); err != nil {
		return err
	}
	if err := s.as.chown(fresh); err != nil {
		return err
	}
	if err := s.initdb(ctx, fresh); err != nil {
		return err
	}
	return os.Rename(fresh, s.data())
}

// initdb fills the folder. The password goes through a file that only the
// server's account reads, for as long as initdb runs.
func (s *Server) initdb(ctx context.Context, data string) error {
	f, err := os.CreateTemp(s.dir, "password-")
	if err != nil {
		return err
	}
	defer os.Remove(f.Name())
	_, err = f.WriteString(s.password)
	if err := errors.Join(err, f.Close(), s.as.chown(f.Name())); err != nil {
		return err
	}
	args := []string{
		"-D", data, "--username", owner, "--pwfile", f.Name(), "--auth", "scram-sha-256", "--encoding", "UTF8", "--locale", "C.UTF-8",
	}
	if s.fast {
		args = append(args, "--no-sync")
	}
	if out, err := s.command(ctx, "initdb", args...).CombinedOutput(); err != nil {
		return fmt.Errorf("initdb: %w: %s", err, out)
	}
	return nil
}

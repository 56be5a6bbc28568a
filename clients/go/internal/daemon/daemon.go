// Package daemon runs a real dirtyd for tests. $DIRTYD_BIN names the binary,
// $DIRTYD_TEST_PYTHON the Python of its workers.
package daemon

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"syscall"
	"time"

	dirtyd "github.com/dirtyd/dirtyd/clients/go"
)

// Patience is the limit of every wait in a test, for slow machines.
const Patience = time.Minute

// Daemon is a running dirtyd.
type Daemon struct {
	Socket  string
	dir     string
	command *exec.Cmd
	ended   chan struct{}
}

// Path returns the absolute path of a file of this repository.
func Path(elements ...string) string {
	_, here, _, _ := runtime.Caller(0)
	return filepath.Join(append([]string{filepath.Dir(here), "../../../.."}, elements...)...)
}

// Start runs `dirtyd serve` with its apps in the folder apps, until app
// answers. Its output goes to stderr.
func Start(apps, app string, args ...string) (*Daemon, error) {
	binary, err := filepath.Abs(os.Getenv("DIRTYD_BIN"))
	if os.Getenv("DIRTYD_BIN") == "" || err != nil {
		return nil, errors.New("set DIRTYD_BIN to the daemon, such as target/debug/dirtyd")
	}
	dir, err := os.MkdirTemp("", "dirtyd-go-")
	if err != nil {
		return nil, err
	}
	d := &Daemon{Socket: filepath.Join(dir, "d.sock"), dir: dir, ended: make(chan struct{})}
	d.command = exec.Command(binary, append([]string{"serve", "--socket", d.Socket}, args...)...)
	d.command.Dir = apps
	d.command.Env = append(os.Environ(), "XDG_RUNTIME_DIR="+dir, "PYTHONPATH="+Path("clients/python/src")+":"+apps)
	if python := os.Getenv("DIRTYD_TEST_PYTHON"); python != "" {
		d.command.Env = append(d.command.Env, "DIRTYD_PYTHON="+python)
	}
	d.command.Stderr = os.Stderr
	if err := d.command.Start(); err != nil {
		return nil, errors.Join(err, os.RemoveAll(dir))
	}
	go func() {
		_ = d.command.Wait() // Its verdict is in ProcessState.
		close(d.ended)
	}()
	if err := d.wait(app); err != nil {
		return nil, errors.Join(err, d.Stop())
	}
	return d, nil
}

// wait returns once the app answers. Only connecting is tried again: a call
// waits in the app's queue until the worker has booted.
func (d *Daemon) wait(app string) error {
	ctx, cancel := context.WithTimeout(context.Background(), Patience)
	defer cancel()
	go func() {
		select {
		case <-d.ended:
			cancel()
		case <-ctx.Done():
		}
	}()
	client, err := dirtyd.New(d.Socket, dirtyd.WithRetries(999))
	if err != nil {
		return err
	}
	defer client.Close()
	_, err = client.Execute(ctx, app, "no_such_action")
	var answer *dirtyd.Error
	if errors.As(err, &answer) && (answer.Reason == dirtyd.ErrActionNotFound || answer.Reason == dirtyd.ErrApp) {
		return nil
	}
	return fmt.Errorf("the daemon does not serve: %w", err)
}

// Signal sends the daemon a signal.
func (d *Daemon) Signal(signal os.Signal) error { return d.command.Process.Signal(signal) }

// Stop ends the daemon by SIGTERM, and says how it failed to.
func (d *Daemon) Stop() error {
	defer os.RemoveAll(d.dir)
	_ = d.command.Process.Signal(syscall.SIGTERM) // It may have ended by itself, as the exit status then tells.
	select {
	case <-d.ended:
	case <-time.After(Patience):
		return errors.Join(errors.New("the daemon does not end"), d.command.Process.Kill())
	}
	if !d.command.ProcessState.Success() {
		return fmt.Errorf("the daemon ended with %s", d.command.ProcessState)
	}
	return nil
}

package e2e

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"syscall"
	"testing"
	"time"

	dirtyd "github.com/dirtyd/dirtyd/clients/go"
	"github.com/dirtyd/dirtyd/clients/go/internal/daemon"
)

const (
	busy  = "apps:Busy"
	calls = 20
	hurry = time.Second
)

// configuration has App run all calls of a test at once, and Busy one.
const configuration = `
chdir = %[1]q
threads = 60
app = [{ path = "apps:App" }]

[[pool]]
name = "narrow"
chdir = %[1]q
python = %[2]q
threads = 1
app = [{ path = "apps:Busy" }]
`

// impatient starts a daemon in one process, so that a signal stops all of it, and
// returns its client.
func impatient(t *testing.T) (*daemon.Daemon, *dirtyd.Client) {
	t.Helper()
	folder, config := daemon.Path("clients/go/e2e"), filepath.Join(t.TempDir(), "dirtyd.toml")
	written := fmt.Sprintf(configuration, folder, cmp.Or(os.Getenv("DIRTYD_TEST_PYTHON"), "python3"))
	if err := os.WriteFile(config, []byte(written), 0o600); err != nil {
		t.Fatal(err)
	}
	d, err := daemon.Start(folder, app, "--single", "--config", config)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := d.Stop(); err != nil {
			t.Error(err)
		}
	})
	client, err := dirtyd.New(d.Socket)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { client.Close() })
	return d, client
}

// kinds are the ways to make a call; each returns its error.
var kinds = map[string]func(ctx context.Context, client *dirtyd.Client, app, action string, args ...any) error{
	"unary": func(ctx context.Context, client *dirtyd.Client, app, action string, args ...any) error {
		_, err := client.Execute(ctx, app, action, args...)
		return err
	},
	"stream": func(ctx context.Context, client *dirtyd.Client, app, action string, args ...any) error {
		var last error
		for _, err := range client.Stream(ctx, app, action, args...) {
			last = err
		}
		return last
	},
	"unary with a deadline in the context": func(ctx context.Context, client *dirtyd.Client, app, action string, args ...any) error {
		ctx, cancel := context.WithTimeout(ctx, hurry)
		defer cancel()
		_, err := client.With(dirtyd.WithTimeout(0)).Execute(ctx, app, action, args...)
		return err
	},
}

// allFail makes many calls at once, in each way, which must all fail for the reason.
func allFail(t *testing.T, client *dirtyd.Client, reason dirtyd.Reason, app, action string) {
	t.Helper()
	client = client.With(dirtyd.WithTimeout(hurry))
	var all sync.WaitGroup
	for name, call := range kinds {
		for n := range calls {
			path := filepath.Join(t.TempDir(), fmt.Sprint(n))
			all.Go(func() {
				err := call(context.Background(), client, app, action, path)
				if !errors.Is(err, reason) || !errors.Is(err, context.DeadlineExceeded) {
					t.Errorf("%s: expected %s, got %v", name, string(reason), err)
				}
			})
		}
	}
	all.Wait()
}

func TestTheReasonSurvivesTheCallersOwnDeadline(t *testing.T) {
	_, client := impatient(t)
	allFail(t, client, dirtyd.ErrExecutionTimeout, app, "ponder")

	fifo := filepath.Join(t.TempDir(), "fifo")
	if err := syscall.Mkfifo(fifo, 0o600); err != nil {
		t.Fatal(err)
	}
	held := make(chan error)
	go func() {
		_, err := client.Execute(context.Background(), busy, "wait", fifo)
		held <- err
	}()
	// Opening waits for the action.
	writer, err := os.OpenFile(fifo, os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	allFail(t, client, dirtyd.ErrQueueTimeout, busy, "wait")
	if err := errors.Join(writer.Close(), <-held); err != nil {
		t.Fatal(err)
	}
}

func TestADaemonThatDoesNotAnswerHoldsNoCaller(t *testing.T) {
	d, connected := impatient(t)
	if _, err := connected.Execute(context.Background(), app, "pid"); err != nil {
		t.Fatal(err)
	}
	unconnected, err := dirtyd.New(d.Socket)
	if err != nil {
		t.Fatal(err)
	}
	defer unconnected.Close()
	if err := d.Signal(syscall.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := d.Signal(syscall.SIGCONT); err != nil {
			t.Error(err)
		}
	}()
	allFail(t, connected, dirtyd.ErrNoAnswer, app, "pid")
	allFail(t, unconnected, dirtyd.ErrNoAnswer, app, "pid")

	// The end of the context that is no deadline ends the call at once.
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if err := kinds["unary"](ctx, connected.With(dirtyd.WithTimeout(daemon.Patience)), app, "pid"); !errors.Is(err, context.Canceled) {
		t.Fatal(err)
	}
}

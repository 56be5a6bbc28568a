// Package e2e tests the client, its samples and its README against a real
// daemon; see internal/daemon for what it needs.
package e2e

import (
	"context"
	"fmt"
	"os"
	"testing"
	"time"

	dirtyd "github.com/dirtyd/dirtyd/clients/go"
	"github.com/dirtyd/dirtyd/clients/go/internal/daemon"
)

const app = "apps:App"

// client is that of all tests here.
var client *dirtyd.Client

func TestMain(m *testing.M) {
	os.Exit(serve(m))
}

func serve(m *testing.M) (status int) {
	folder := daemon.Path("clients/go/e2e")
	d, err := daemon.Start(folder, app, "--config", folder+"/dirtyd.toml")
	if err == nil {
		client, err = dirtyd.New(d.Socket, dirtyd.WithTimeout(daemon.Patience))
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer func() {
		if err := d.Stop(); err != nil {
			fmt.Fprintln(os.Stderr, err)
			status = 1
		}
	}()
	defer client.Close()
	return m.Run()
}

// appears waits until an action has written the file.
func appears(t *testing.T, path string) {
	t.Helper()
	for deadline := time.Now().Add(daemon.Patience); time.Now().Before(deadline); time.Sleep(5 * time.Millisecond) {
		if _, err := os.Stat(path); err == nil {
			return
		}
	}
	t.Fatal("the action did not end")
}

func execute[T any](t *testing.T, action string, args ...any) T {
	t.Helper()
	result, err := dirtyd.As[T](client.Execute(context.Background(), app, action, args...))
	if err != nil {
		t.Fatal(err)
	}
	return result
}

package dirtyd_test

import (
	"context"
	"errors"
	"path/filepath"
	"testing"
	"time"

	dirtyd "github.com/dirtyd/dirtyd/clients/go"
	dirtyv1 "github.com/dirtyd/dirtyd/clients/go/internal/gen/dirty/v1"
)

func TestTheSocketIsFound(t *testing.T) {
	for _, c := range []struct{ explicit, environment, runtime, want string }{
		{"/a/b.sock", "/c/d.sock", "/run/user/1", "/a/b.sock"},
		{"", "/c/d.sock", "/run/user/1", "/c/d.sock"},
		{"", "", "/run/user/1", "/run/user/1/dirtyd/dirtyd.sock"},
	} {
		t.Setenv("DIRTYD_SOCKET", c.environment)
		t.Setenv("XDG_RUNTIME_DIR", c.runtime)
		if got := dial(t, c.explicit).Socket(); got != c.want {
			t.Errorf("%+v: %s", c, got)
		}
	}
	t.Chdir(t.TempDir())
	if got := dial(t, "d.sock").Socket(); !filepath.IsAbs(got) {
		t.Error(got)
	}
}

// silent says on `began` that a call began, and answers never.
func silent(t *testing.T) (client *dirtyd.Client, began <-chan struct{}) {
	t.Helper()
	socket, calls := socketIn(t), make(chan struct{}, 1)
	fake{execute: func(ctx context.Context, _ *dirtyv1.ExecuteRequest) (*dirtyv1.ExecuteResponse, error) {
		calls <- struct{}{}
		<-ctx.Done()
		return nil, ctx.Err()
	}}.serve(t, socket)
	return dial(t, socket), calls
}

func TestCancellingTheContextEndsTheCall(t *testing.T) {
	t.Parallel()
	client, began := silent(t)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	go func() {
		<-began
		cancel()
	}()
	if _, err := client.Execute(ctx, "a:A", "b"); !errors.Is(err, context.Canceled) {
		t.Fatal(err)
	}
}

func TestTheTimeoutOfTheClientBoundsACall(t *testing.T) {
	t.Parallel()
	client, _ := silent(t)
	_, err := client.With(dirtyd.WithTimeout(50*time.Millisecond)).Execute(t.Context(), "a:A", "b")
	if !errors.Is(err, context.DeadlineExceeded) || errors.Is(err, context.Canceled) {
		t.Fatal(err)
	}
}

func TestClosingEndsCallsAndRefusesNewOnes(t *testing.T) {
	t.Parallel()
	client, began := silent(t)
	go func() {
		<-began
		_ = client.Close() // The error of the call says whether it did.
	}()
	for range 2 {
		_, err := client.Execute(t.Context(), "a:A", "b")
		if !errors.Is(err, dirtyd.ErrConnection) || errors.Is(err, context.Canceled) {
			t.Fatal(err)
		}
	}
}

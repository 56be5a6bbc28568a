package e2e

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	dirtyd "github.com/dirtyd/dirtyd/clients/go"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// failure makes a call that must fail for the reason.
func failure(t *testing.T, reason dirtyd.Reason, app, action string, args ...any) *dirtyd.Error {
	t.Helper()
	_, err := client.Execute(context.Background(), app, action, args...)
	var failure *dirtyd.Error
	if !errors.Is(err, reason) || !errors.As(err, &failure) {
		t.Fatalf("expected %s, got %v", reason, err)
	}
	return failure
}

func TestAnAppErrorHasAllThatTheAppSaid(t *testing.T) {
	err := failure(t, dirtyd.ErrApp, app, "refuse")
	switch {
	case err.Code != codes.NotFound, status.Code(err) != codes.NotFound:
		t.Error(err.Code)
	case err.App != app, err.Action != "refuse", err.WorkerPID == 0, err.Metadata["row"] != "7":
		t.Errorf("%+v", err)
	case !strings.HasSuffix(err.RemoteType, "AppError"):
		t.Error(err.RemoteType)
	case !strings.Contains(err.RemoteTraceback, "apps.py") || !strings.Contains(err.Error(), "no such row"):
		t.Error(err.RemoteTraceback, err)
	}
}

func TestACodeThatTheAppChoseIsNoDeadline(t *testing.T) {
	if err := failure(t, dirtyd.ErrApp, app, "refuse_late"); errors.Is(err, context.DeadlineExceeded) {
		t.Fatal("the deadline has not passed")
	}
}

func TestTheTimeoutOfTheArbiterIsADeadline(t *testing.T) {
	err := failure(t, dirtyd.ErrExecutionTimeout, "apps:Impatient", "sleep")
	if !errors.Is(err, context.DeadlineExceeded) {
		t.Fatal(err)
	}
}

func TestAWorkerThatDiesFailsItsCall(t *testing.T) {
	err := failure(t, dirtyd.ErrWorkerCrashed, app, "die")
	if err.Code != codes.Aborted || err.Metadata["exit_code"] != "7" || err.WorkerPID == 0 {
		t.Fatalf("%+v", err)
	}
}

func TestAWorkerThatDiesInAStreamComesAfterItsChunks(t *testing.T) {
	var chunks int
	var last error
	for _, err := range client.With(dirtyd.WithRetries(2)).Stream(context.Background(), app, "die_after", 3) {
		if last = err; err == nil {
			chunks++
		}
	}
	if !errors.Is(last, dirtyd.ErrWorkerCrashed) || chunks > 3 {
		t.Fatal(chunks, last)
	}
}

func TestAnAppThatCannotBootSaysWhy(t *testing.T) {
	err := failure(t, dirtyd.ErrNoWorkers, "apps:Broken", "anything")
	if err.RetryAfter == 0 || !strings.Contains(err.Message, "no model here") {
		t.Fatalf("%+v", err)
	}
}

func TestTheRequestIDNamesTheCall(t *testing.T) {
	_, err := client.With(dirtyd.WithMetadata("x-request-id", "r-17")).Execute(context.Background(), app, "refuse")
	var failure *dirtyd.Error
	if !errors.As(err, &failure) || failure.RequestID != "r-17" {
		t.Fatalf("%+v", err)
	}
}

func TestAFullQueueIsTriedAgain(t *testing.T) {
	fifo := filepath.Join(t.TempDir(), "fifo")
	if err := syscall.Mkfifo(fifo, 0o600); err != nil {
		t.Fatal(err)
	}
	const busy = "apps:Busy"
	if _, err := client.Execute(context.Background(), busy, "pid"); err != nil {
		t.Fatal(err) // Now a worker has booted it.
	}
	answers := make(chan error, 3)
	wait := func(client *dirtyd.Client) {
		_, err := client.Execute(context.Background(), busy, "wait", fifo)
		answers <- err
	}
	// One runs, one is queued; whichever of three comes last finds the queue full.
	for range 3 {
		go wait(client)
	}
	if err := <-answers; !errors.Is(err, dirtyd.ErrQueueFull) {
		t.Fatal(err)
	}
	patient := client.With(dirtyd.WithRetries(999))
	go wait(patient)
	for range 3 {
		// Opening waits for an action that reads, and closing lets it return.
		writer, err := os.OpenFile(fifo, os.O_WRONLY, 0)
		if err != nil {
			t.Fatal(err)
		}
		if err := writer.Close(); err != nil {
			t.Fatal(err)
		}
		if err := <-answers; err != nil {
			t.Fatal(err)
		}
	}
}

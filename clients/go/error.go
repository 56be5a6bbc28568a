package dirtyd

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"time"

	dirtyv1 "github.com/dirtyd/dirtyd/clients/go/internal/gen/dirty/v1"
	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/connectivity"
	"google.golang.org/grpc/status"
)

// domain is that of the arbiter's ErrorInfo.
const domain = "dirty.v1"

// Error is the failure of a call. What the arbiter did not say is zero.
type Error struct {
	// Reason is empty where the arbiter had no part in it, such as for a
	// context that was cancelled.
	Reason  Reason
	Code    codes.Code
	Message string
	App     string
	Action  string
	// WorkerPID is the process that ran the call.
	WorkerPID int
	// RemoteType is the type of what the action raised, such as "myapp.ml.ModelMissing".
	RemoteType string
	// RemoteTraceback is the traceback in the worker.
	RemoteTraceback string
	// RetryAfter is the time after which another attempt makes sense.
	RetryAfter time.Duration
	RequestID  string
	// Metadata has all facts of the arbiter, among them those that the app chose.
	Metadata map[string]string

	status    *status.Status
	unstarted bool
}

func (e *Error) Error() string {
	if e.Reason == "" {
		return fmt.Sprintf("dirtyd: %s %s: %s", e.App, e.Action, e.Message)
	}
	return fmt.Sprintf("dirtyd: %s %s: %s [%s]", e.App, e.Action, e.Message, string(e.Reason))
}

// Unwrap gives errors.Is the reason, and for a deadline or a cancellation the
// error of package context.
func (e *Error) Unwrap() []error {
	var all []error
	if e.Reason != "" {
		all = append(all, e.Reason)
	}
	switch {
	case e.Reason == ErrApp || e.Reason == ErrConnection:
	case e.Code == codes.DeadlineExceeded:
		all = append(all, context.DeadlineExceeded)
	case e.Code == codes.Canceled:
		all = append(all, context.Canceled)
	}
	return all
}

// GRPCStatus makes package google.golang.org/grpc/status understand the error.
func (e *Error) GRPCStatus() *status.Status { return e.status }

// newError reads the error of gRPC. A call was sent if a connection had taken it.
func (c *Client) newError(err error, request *dirtyv1.ExecuteRequest, sent bool) *Error {
	s := status.Convert(err)
	e := &Error{Code: s.Code(), Message: s.Message(), App: request.App, Action: request.Action, status: s}
	for _, detail := range s.Details() {
		switch detail := detail.(type) {
		case *errdetails.ErrorInfo:
			e.readInfo(detail)
		case *errdetails.RetryInfo:
			e.RetryAfter = detail.GetRetryDelay().AsDuration()
		case *errdetails.DebugInfo:
			e.RemoteTraceback = strings.Join(detail.StackEntries, "\n")
		}
	}
	switch e.Reason {
	case ErrQueueFull, ErrQueueTimeout, ErrNoWorkers, "TOO_MANY_CONNECTIONS":
		e.unstarted = true
	case ErrDraining:
		// A stream that a drain has cut off says the same, with ABORTED.
		e.unstarted = e.Code == codes.Unavailable
	case "":
		e.explain(c, sent)
	}
	return e
}

func (e *Error) readInfo(info *errdetails.ErrorInfo) {
	if info.Domain != domain {
		return
	}
	e.Reason, e.Metadata = Reason(info.Reason), info.Metadata
	e.RemoteType, e.RequestID = info.Metadata["exception_type"], info.Metadata["request_id"]
	e.WorkerPID, _ = strconv.Atoi(info.Metadata["worker_pid"])
}

// remedy says what to do where no connection can be made.
func remedy(why string) string {
	if strings.Contains(why, "ermission denied") {
		return "this user may not open the socket; socket_mode and socket_group say who may"
	}
	return "is it running? start it with `dirtyd serve`"
}

// explain says what an error is that gRPC itself made.
func (e *Error) explain(c *Client, sent bool) {
	switch {
	case e.Code == codes.Canceled && c.conn.GetState() == connectivity.Shutdown:
		e.Reason, e.Message = ErrConnection, "the client is closed"
	case e.Code == codes.DeadlineExceeded:
		e.Reason, e.Message = ErrNoAnswer, "dirtyd did not answer by the deadline, nor in the second after it"
	case e.Code != codes.Unavailable:
	case sent:
		e.Reason, e.Message = ErrConnection, fmt.Sprintf("the connection to %s broke during the call: %s", c.socket, e.Message)
	default:
		e.Reason, e.unstarted = ErrConnection, true
		e.Message = fmt.Sprintf("no connection to %s: %s; %s", c.socket, e.Message, remedy(e.Message))
	}
}

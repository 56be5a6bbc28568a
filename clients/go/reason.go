package dirtyd

// Reason says why a call failed; compare with errors.Is. Reasons that this
// version does not know are those of a newer dirtyd.
type Reason string

// The reasons of the arbiter; docs/errors.md of dirtyd describes them.
const (
	// ErrAppNotFound: the arbiter has no such app.
	ErrAppNotFound Reason = "APP_NOT_FOUND"
	// ErrActionNotFound: the app has no such action, or it is private.
	ErrActionNotFound Reason = "ACTION_NOT_FOUND"
	// ErrInvalidRequest: the request is malformed.
	ErrInvalidRequest Reason = "INVALID_REQUEST"
	// ErrApp: the action raised; see RemoteType and RemoteTraceback.
	ErrApp Reason = "APP_ERROR"
	// ErrResultNotSerializable: the result of the action has no form as a value.
	ErrResultNotSerializable Reason = "RESULT_NOT_SERIALIZABLE"
	// ErrActionStreams: Execute of an action that streams; use Stream.
	ErrActionStreams Reason = "ACTION_STREAMS"
	// ErrQueueFull: the queue of the app is full; see RetryAfter.
	ErrQueueFull Reason = "QUEUE_FULL"
	// ErrMessageTooLarge: the request, the result or a chunk is over the arbiter's limit.
	ErrMessageTooLarge Reason = "MESSAGE_TOO_LARGE"
	// ErrQueueTimeout: the deadline passed before a worker was free; the action did not run.
	ErrQueueTimeout Reason = "QUEUE_TIMEOUT"
	// ErrExecutionTimeout: the deadline passed while the action ran.
	ErrExecutionTimeout Reason = "EXECUTION_TIMEOUT"
	// ErrNoWorkers: no worker can serve the app; all failed to boot, or there are none.
	ErrNoWorkers Reason = "NO_WORKERS"
	// ErrWorkerCrashed: the worker died after it had started the call.
	ErrWorkerCrashed Reason = "WORKER_CRASHED"
	// ErrDraining: the arbiter is about to end, and had not started the call; or, with
	// the code ABORTED, a stream went on for too long in a worker that was to leave.
	ErrDraining Reason = "DRAINING"
)

// ErrConnection is the client's own reason: the arbiter cannot be reached, or
// the connection broke during the call.
const ErrConnection Reason = "CONNECTION"

// ErrNoAnswer is the client's own reason: a second after the deadline the arbiter had
// not said what became of the call. So ends, too, a call whose deadline had passed
// before it was sent.
const ErrNoAnswer Reason = "NO_ANSWER"

func (r Reason) Error() string { return "dirtyd: " + string(r) }

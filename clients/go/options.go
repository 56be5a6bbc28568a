package dirtyd

import (
	"slices"
	"time"
)

// Option changes how a client calls.
type Option func(*settings)

type settings struct {
	timeout  time.Duration
	metadata []string // keys and values in turn
	retries  int
}

// WithTimeout bounds each call, its retries and the whole of its stream. The
// context may bound it further; without either the arbiter's own timeout
// holds. The arbiter ends the call; if it says nothing, the call fails a second
// later with [ErrNoAnswer].
func WithTimeout(timeout time.Duration) Option {
	return func(s *settings) { s.timeout = timeout }
}

// WithMetadata sends one more entry of gRPC metadata with each call. The action
// finds it in its call; a value for a key that ends with "-bin" may be any
// bytes. The key "x-request-id" names the call in logs and errors.
func WithMetadata(key, value string) Option {
	return func(s *settings) { s.metadata = append(slices.Clip(s.metadata), key, value) }
}

// WithRetries repeats a call at most n times, if it certainly had not started: the
// queue was full or the deadline passed in it, no worker could serve, the arbiter was
// about to end, or no connection could be made. It waits as long as the arbiter asks
// for, or 50 ms, then twice as long each time, at most 2 s, less a random part; and
// gives up at once where the context would end before. A stream is repeated only
// before its first chunk.
func WithRetries(n int) Option {
	return func(s *settings) { s.retries = n }
}

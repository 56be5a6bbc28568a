package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"

	dirtyd "github.com/dirtyd/dirtyd/clients/go"
	"google.golang.org/genproto/googleapis/rpc/code"
)

// outcome is what the caller saw, in the form that the records of all clients
// share; tests/conformance/README.md describes it.
type outcome struct {
	Values []any    `json:"values"`
	Error  *failure `json:"error,omitempty"`
}

type failure struct {
	Code          string `json:"code"`
	Reason        string `json:"reason"`
	Message       string `json:"message"`
	ExceptionType string `json:"exception_type"`
	Traceback     string `json:"traceback"`
}

func newOutcome(values []any, err error) *outcome {
	o := &outcome{Values: retagList(values)}
	var e *dirtyd.Error
	switch {
	case errors.As(err, &e):
		name := code.Code(e.Code).String()
		o.Error = &failure{name, string(e.Reason), e.Message, e.RemoteType, e.RemoteTraceback}
	case err != nil:
		o.Error = &failure{Message: err.Error()}
	}
	return o
}

// record is the file of this client in $DIRTYD_CONFORMANCE_REPORT; without the
// variable it goes nowhere.
type record struct{ *os.File }

func newRecord(client string) (record, error) {
	path := os.DevNull
	if folder := os.Getenv("DIRTYD_CONFORMANCE_REPORT"); folder != "" {
		if err := os.MkdirAll(folder, 0o755); err != nil {
			return record{}, err
		}
		path = filepath.Join(folder, client+".jsonl")
	}
	file, err := os.Create(path)
	return record{file}, err
}

// write adds the line of a case that failed for a reason, or passed.
func (r record) write(name string, o *outcome, failed error) error {
	line := struct {
		Case    string   `json:"case"`
		Verdict string   `json:"verdict"`
		Why     string   `json:"why"`
		Outcome *outcome `json:"outcome,omitempty"`
	}{name, "PASS", "", o}
	if failed != nil {
		line.Verdict, line.Why = "FAIL", failed.Error()
	}
	return json.NewEncoder(r).Encode(line)
}

// retag writes a value as the cases do.
func retag(value any) map[string]any {
	switch value := value.(type) {
	case nil:
		return map[string]any{"null": true}
	case bool:
		return map[string]any{"bool": value}
	case int64:
		return map[string]any{"int": strconv.FormatInt(value, 10)}
	case float64:
		return map[string]any{"double": strconv.FormatFloat(value, 'g', -1, 64)}
	case string:
		return map[string]any{"string": value}
	case []byte:
		return map[string]any{"bytes": value}
	case []any:
		return map[string]any{"list": retagList(value)}
	case map[string]any:
		entries := make(map[string]any, len(value))
		for key, item := range value {
			entries[key] = retag(item)
		}
		return map[string]any{"map": entries}
	case dirtyd.Tensor:
		value.Data = append([]byte{}, value.Data...) // Written as "" where it is nil.
		return map[string]any{"tensor": tensor(value)}
	}
	return map[string]any{fmt.Sprintf("%T", value): fmt.Sprint(value)}
}

func retagList(values []any) []any {
	tagged := make([]any, len(values))
	for i, item := range values {
		tagged[i] = retag(item)
	}
	return tagged
}

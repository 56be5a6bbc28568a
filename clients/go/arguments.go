package dirtyd

import (
	"fmt"

	dirtyv1 "github.com/dirtyd/dirtyd/clients/go/internal/gen/dirty/v1"
)

// Kwargs are the keyword arguments of a call: its last argument.
type Kwargs map[string]any

func newRequest(app, action string, args []any) (*dirtyv1.ExecuteRequest, error) {
	var kwargs Kwargs
	if last := len(args) - 1; last >= 0 {
		if found, ok := args[last].(Kwargs); ok {
			kwargs, args = found, args[:last]
		}
	}
	request := &dirtyv1.ExecuteRequest{
		App:    app,
		Action: action,
		Args:   make([]*dirtyv1.Value, len(args)),
		Kwargs: make(map[string]*dirtyv1.Value, len(kwargs)),
	}
	var err error
	for i, arg := range args {
		if _, misplaced := arg.(Kwargs); misplaced {
			return nil, &ValueError{fmt.Sprintf("args[%d]", i), "Kwargs must be the last argument"}
		}
		if request.Args[i], err = encodeAs(fmt.Sprintf("args[%d]", i), arg); err != nil {
			return nil, err
		}
	}
	for name, arg := range kwargs {
		if request.Kwargs[name], err = encodeAs(fmt.Sprintf("kwargs[%q]", name), arg); err != nil {
			return nil, err
		}
	}
	return request, nil
}

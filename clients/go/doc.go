// Package dirtyd calls the actions of apps that a dirtyd, a dirty arbiter,
// keeps in its pool of worker processes.
//
//	client, err := dirtyd.New("")
//	total, err := dirtyd.As[int64](client.Execute(ctx, "myapp:Counter", "add", 3))
//
//	for token, err := range client.Stream(ctx, "myapp:Model", "generate", "Once", dirtyd.Kwargs{"temperature": 0.8}) {
//		if err != nil {
//			return err
//		}
//		fmt.Print(token)
//	}
//
// # Values
//
// Arguments may be nil, booleans, integers that fit into 64 signed bits,
// floats, strings of valid UTF-8, []byte, slices, arrays, maps with string
// keys, [Tensor], and pointers to any of them; types defined on these are
// taken as what they are made of. A nil slice is an empty list, a nil map an
// empty mapping. Anything else is refused with a [ValueError] before it is
// sent.
//
// Results and chunks are nil, bool, int64, float64, string, []byte, []any,
// map[string]any or Tensor.
//
// # Errors
//
// A call fails with an [*Error]. Its reason is found with errors.Is, as in
// errors.Is(err, dirtyd.ErrQueueFull). Whoever's deadline passed, the
// arbiter's or the caller's, errors.Is(err, context.DeadlineExceeded) holds.
package dirtyd

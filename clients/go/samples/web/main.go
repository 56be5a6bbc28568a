// Web streams tokens to a browser as server-sent events; the generator stops
// when the browser leaves.
//
// Run the daemon beside it, in samples: dirtyd serve --app apps:Model
// Then open http://localhost:8080, or: curl -N 'localhost:8080/tokens?prompt=hello'
package main

import (
	"errors"
	"flag"
	"fmt"
	"log"
	"math"
	"net"
	"net/http"
	"strconv"

	dirtyd "github.com/dirtyd/dirtyd/clients/go"
)

const page = `<!doctype html><title>tokens</title><pre id="tokens"></pre><script>
	const tokens = document.getElementById("tokens")
	const events = new EventSource("tokens?prompt=hello")
	events.onmessage = event => tokens.append(event.data, "\n")
	events.onerror = () => events.close() // At the end; otherwise it would begin anew.
</script>`

func main() {
	address := flag.String("listen", "localhost:8080", "the `address` to listen at")
	flag.Parse()
	client, err := dirtyd.New("")
	if err != nil {
		log.Fatal(err)
	}
	listener, err := net.Listen("tcp", *address)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println("listening at", listener.Addr())
	http.HandleFunc("GET /{$}", func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, page) })
	http.Handle("GET /tokens", tokens{client})
	log.Fatal(http.Serve(listener, nil))
}

type tokens struct{ client *dirtyd.Client }

func (t tokens) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	flush := http.NewResponseController(w).Flush
	started := false
	// net/http ends this context when the browser leaves, and with it ends the action.
	for token, err := range t.client.Stream(r.Context(), "apps:Model", "generate", r.URL.Query().Get("prompt")) {
		switch {
		case r.Context().Err() != nil:
			return
		case err != nil && !started:
			refuse(w, err)
			return
		case err != nil:
			log.Print(err)
			return
		case !started:
			w.Header().Set("Content-Type", "text/event-stream")
			w.Header().Set("Cache-Control", "no-store")
			started = true
		}
		fmt.Fprintf(w, "data: %s\n\n", token)
		if flush() != nil {
			return
		}
	}
}

// refuse answers with a status while there is still the chance to.
func refuse(w http.ResponseWriter, err error) {
	var failure *dirtyd.Error
	if errors.As(err, &failure) && failure.RetryAfter > 0 {
		w.Header().Set("Retry-After", strconv.Itoa(int(math.Ceil(failure.RetryAfter.Seconds()))))
		http.Error(w, "busy, try again", http.StatusServiceUnavailable)
		return
	}
	log.Print(err)
	http.Error(w, "the model failed", http.StatusBadGateway)
}

package e2e

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	dirtyd "github.com/dirtyd/dirtyd/clients/go"
	"github.com/dirtyd/dirtyd/clients/go/internal/daemon"
)

func TestSamples(t *testing.T) {
	d, err := daemon.Start(daemon.Path("clients/go/samples"), "apps:Counter",
		"--app", "apps:Counter", "--app", "apps:Writer", "--app", "apps:Endless", "--app", "apps:Model", "--workers", "4")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := d.Stop(); err != nil {
			t.Error(err)
		}
	})
	programs := t.TempDir()
	build := exec.Command("go", "build", "-o", programs, "./...")
	build.Dir = daemon.Path("clients/go/samples")
	if output, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, output)
	}
	program := func(ctx context.Context, name string, args ...string) *exec.Cmd {
		command := exec.CommandContext(ctx, filepath.Join(programs, name), args...)
		command.Env = append(os.Environ(), "DIRTYD_SOCKET="+d.Socket)
		command.Stderr = os.Stderr
		return command
	}
	for name, want := range map[string]string{
		"basic":  "total 3 <nil>\ntotal 7 <nil>\nrefused: InvalidArgument apps.OnlyUpwards\n",
		"stream": "to\nbe\nor\nnot\nto\nbe\n",
		"cancel": "number 0\nnumber 1\nnumber 2\n1 <nil>\ngave up: true\n2 <nil>\n",
	} {
		t.Run(name, func(t *testing.T) {
			output, err := program(t.Context(), name).Output()
			if err != nil || string(output) != want {
				t.Fatalf("%v\n%s", err, output)
			}
		})
	}
	t.Run("web", func(t *testing.T) { visit(t, program(t.Context(), "web", "-listen", "127.0.0.1:0"), d.Socket) })
}

// visit is a browser that leaves after three tokens; then the generator must end.
func visit(t *testing.T, web *exec.Cmd, socket string) {
	output, err := web.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := web.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() {
		_ = web.Process.Kill() // It serves until it is killed, and so its exit status says nothing.
		_ = web.Wait()
	}()
	var address string
	if _, err := fmt.Fscanf(output, "listening at %s", &address); err != nil {
		t.Fatal(err)
	}
	page := get(t, "http://"+address+"/")
	html, err := io.ReadAll(page.Body)
	if err != nil || page.Body.Close() != nil || !strings.Contains(string(html), `new EventSource("tokens`) {
		t.Fatal(string(html), err)
	}
	answer := get(t, "http://"+address+"/tokens?prompt=hi")
	if kind := answer.Header.Get("Content-Type"); kind != "text/event-stream" {
		t.Fatal(kind)
	}
	var events []string
	for lines := bufio.NewScanner(answer.Body); len(events) < 3 && lines.Scan(); {
		if lines.Text() != "" {
			events = append(events, lines.Text())
		}
	}
	if got := strings.Join(events, " "); got != "data: hi-0 data: hi-1 data: hi-2" {
		t.Fatal(got)
	}
	if err := answer.Body.Close(); err != nil {
		t.Fatal(err)
	}
	// The one worker with the model answers only once the generator has ended: long before the last of 1000 tokens, and
	// before there were enough of them to fill a buffer of the web server.
	client, err := dirtyd.New(socket, dirtyd.WithTimeout(daemon.Patience))
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	last, err := dirtyd.As[[]any](client.Execute(t.Context(), "apps:Model", "last_tokens"))
	if err != nil || len(last) != 1 || last[0].(int64) < 2 || last[0].(int64) >= 200 {
		t.Fatal(last, err)
	}
}

func get(t *testing.T, url string) *http.Response {
	t.Helper()
	answer, err := http.Get(url)
	if err != nil || answer.StatusCode != http.StatusOK {
		t.Fatal(answer, err)
	}
	return answer
}

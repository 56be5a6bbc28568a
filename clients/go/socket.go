package dirtyd

import (
	"os"
	"path/filepath"
)

// DefaultSocket returns $DIRTYD_SOCKET, or else where `dirtyd serve` listens by
// default for this user.
func DefaultSocket() string {
	if socket := os.Getenv("DIRTYD_SOCKET"); socket != "" {
		return socket
	}
	if runtime := os.Getenv("XDG_RUNTIME_DIR"); runtime != "" {
		return filepath.Join(runtime, "dirtyd/dirtyd.sock")
	}
	if os.Geteuid() == 0 {
		return "/run/dirtyd/dirtyd.sock"
	}
	return filepath.Join(os.Getenv("HOME"), ".local/state/dirtyd/run/dirtyd.sock")
}

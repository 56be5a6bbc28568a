package main

import (
	"bytes"
	"testing"
)

func TestEveryCasePasses(t *testing.T) {
	var report bytes.Buffer
	failed, err := serveAndRun(&report)
	t.Log(report.String())
	if err != nil {
		t.Fatal(err)
	}
	if failed > 0 {
		t.Fail()
	}
}

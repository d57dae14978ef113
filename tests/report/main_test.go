package main

import (
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

const events = `go: downloading example.com/m v1.0.0
{"Action":"build-output","ImportPath":"p/broken","Output":"p/broken.go:1: syntax error\n"}
{"Action":"run","Package":"p/good","Test":"TestA"}
{"Action":"output","Package":"p/good","Test":"TestA","Output":"a passing test says something\n"}
{"Action":"pass","Package":"p/good","Test":"TestA"}
{"Action":"output","Package":"p/good","Output":"PASS\n"}
{"Action":"output","Package":"p/good","Output":"ok  \tp/good\t1.0s\n"}
{"Action":"pass","Package":"p/good"}
{"Action":"output","Package":"p/bad","Test":"TestB","Output":"    b_test.go:3: wrong\n"}
{"Action":"fail","Package":"p/bad","Test":"TestB"}
{"Action":"output","Package":"p/bad","Test":"TestC","Output":"panic: deep\n"}
{"Action":"output","Package":"p/bad","Output":"FAIL\tp/bad\t1.0s\n"}
{"Action":"fail","Package":"p/bad"}
`

func TestAllIsKeptAndPeopleSeeResultsAndFailures(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "log")
	var out strings.Builder
	if err := keep(strings.NewReader(events), file, &out); err != nil {
		t.Fatal(err)
	}
	log, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	for line, shown := range map[string]bool{
		"go: downloading": true, "syntax error": true, "ok  \tp/good": true, "b_test.go:3: wrong": true, "panic: deep": true, "FAIL\tp/bad": true,
		"a passing test": false, "PASS": false,
	} {
		if strings.Contains(out.String(), line) != shown {
			t.Errorf("%q: want shown: %v\n%s", line, shown, &out)
		}
		if !strings.Contains(string(log), line) {
			t.Errorf("%q is not kept", line)
		}
	}
}

func TestWhatFailedIsReadLast(t *testing.T) {
	t.Parallel()
	late := events + `{"Action":"output","Package":"p/late","Output":"ok  \tp/late\t9.0s\n"}` + "\n" + `{"Action":"pass","Package":"p/late"}` + "\n"
	var out strings.Builder
	if err := report(strings.NewReader(late), io.Discard, &out); err != nil {
		t.Fatal(err)
	}
	_, end, _ := strings.Cut(out.String(), "ok  \tp/late")
	for _, reason := range []string{"syntax error", "b_test.go:3: wrong", "panic: deep", "FAIL\tp/bad"} {
		if !strings.Contains(end, reason) {
			t.Errorf("after the last package, %q is missing: %q", reason, end)
		}
	}
}

func TestAFileThatCannotBeWrittenIsAnError(t *testing.T) {
	t.Parallel()
	if err := keep(strings.NewReader(events), filepath.Join(t.TempDir(), "no", "folder"), &strings.Builder{}); err == nil {
		t.Error("nothing was kept, and nothing is said")
	}
}

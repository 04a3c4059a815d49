package main

import (
	"bytes"
	"os"
	"testing"
)

// Colours are for terminals alone, and for none that says no.
func TestColoursAreForTerminals(t *testing.T) {
	t.Parallel()
	tty, err := os.OpenFile("/dev/ptmx", os.O_RDWR, 0)
	if err != nil {
		t.Skipf("no terminal can be had: %v", err)
	}
	defer tty.Close()
	for _, tt := range []struct {
		env  map[string]string
		want style
	}{
		{nil, true}, {map[string]string{"TERM": "xterm"}, true}, {map[string]string{"NO_COLOR": "1"}, false},
		{map[string]string{"NO_COLOR": "0"}, false}, {map[string]string{"TERM": "dumb"}, false},
	} {
		a := &app{getenv: func(name string) string { return tt.env[name] }}
		if got := a.style(tty); got != tt.want {
			t.Errorf("with %v, a terminal is coloured: %t, want %t", tt.env, got, tt.want)
		}
		if a.style(new(bytes.Buffer)) {
			t.Errorf("with %v, what is no terminal is coloured", tt.env)
		}
	}
	for text, want := range map[string]string{"synced": "\x1b[32msynced\x1b[0m", "syncing 71%": "\x1b[36msyncing 71%\x1b[0m", "relink-needed": "\x1b[31mrelink-needed\x1b[0m", "off": "off"} {
		if got := style(true).state(text); got != want {
			t.Errorf("state(%s) = %q, want %q", text, got, want)
		}
	}
	if got := style(false).state("failed"); got != "failed" {
		t.Errorf("state(failed) without colours = %q", got)
	}
}

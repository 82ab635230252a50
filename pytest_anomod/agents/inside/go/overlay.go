// Makes the overlay by which `go build` puts our agent into a program that serves or calls HTTP, and prints the GOFLAGS
// to build it with: GOFLAGS="$(go run overlay.go DIRECTORY)" go build ...
//
// The overlay adds two files to net/http of the Go that is there, and calls them in patched copies of two of its own.
package main

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"strings"
)

type patch struct {
	file, pattern, replacement string
}

var patches = []patch{
	{
		"server.go",
		`(func \(sh serverHandler\) ServeHTTP\(rw ResponseWriter, req \*Request\) \{\n)`,
		"${1}\tdefer anomodServe(rw, req)()\n",
	},
	{
		"roundtrip.go",
		`\treturn t\.roundTrip\(req\)`,
		"\treq, anomodDone := anomodSend(req)\n\tresp, err := t.roundTrip(req)\n\tanomodDone(resp, err)\n\treturn resp, err",
	},
}

func main() {
	if len(os.Args) != 2 {
		fail("give the directory that the overlay is to be made in")
	}
	_, here, _, _ := runtime.Caller(0)
	flags, err := makeOverlay(filepath.Dir(here), os.Args[1])
	if err != nil {
		fail(err.Error())
	}
	fmt.Println(flags)
}

func fail(text string) {
	fmt.Fprintln(os.Stderr, "overlay.go:", text)
	os.Exit(1)
}

// makeOverlay writes the overlay; ours is the directory with the files that are added.
func makeOverlay(ours, directory string) (string, error) {
	directory, err := filepath.Abs(directory)
	if err != nil {
		return "", err
	}
	if strings.ContainsAny(directory, " \t") {
		return "", fmt.Errorf("%q: GOFLAGS takes no directory with blanks", directory)
	}
	root, err := goEnv("GOROOT")
	if err != nil {
		return "", err
	}
	original := filepath.Join(root, "src", "net", "http")
	if err := os.MkdirAll(directory, 0o755); err != nil {
		return "", err
	}
	replace := map[string]string{}
	for _, one := range patches {
		source, err := os.ReadFile(filepath.Join(original, one.file))
		if err != nil {
			return "", err
		}
		pattern := regexp.MustCompile(one.pattern)
		if found := len(pattern.FindAll(source, -1)); found != 1 {
			return "", fmt.Errorf("net/http/%s of %s has %d places for %s, and should have one", one.file, runtime.Version(), found, one.pattern)
		}
		text := pattern.ReplaceAll(source, []byte(one.replacement))
		place := filepath.Join(directory, one.file)
		if err := os.WriteFile(place, text, 0o644); err != nil {
			return "", err
		}
		replace[filepath.Join(original, one.file)] = place
	}
	for _, name := range []string{"anomod_agent", "anomod_trace"} {
		text, err := os.ReadFile(filepath.Join(ours, name+".go.txt"))
		if err != nil {
			return "", err
		}
		place := filepath.Join(directory, name+".go")
		if err := os.WriteFile(place, text, 0o644); err != nil {
			return "", err
		}
		replace[filepath.Join(original, "zz_"+name+".go")] = place
	}
	document, err := json.MarshalIndent(map[string]any{"Replace": replace}, "", " ")
	if err != nil {
		return "", err
	}
	overlay := filepath.Join(directory, "overlay.json")
	if err := os.WriteFile(overlay, document, 0o644); err != nil {
		return "", err
	}
	before, err := goEnv("GOFLAGS")
	return strings.TrimSpace(before + " -cover -covermode=atomic -overlay=" + overlay), err
}

func goEnv(name string) (string, error) {
	said, err := exec.Command("go", "env", name).Output()
	return strings.TrimSpace(string(said)), err
}

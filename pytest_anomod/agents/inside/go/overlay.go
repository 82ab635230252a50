// Makes the overlay by which `go build` puts our agent into a program that serves or calls HTTP, and prints the GOFLAGS
// to build it with: GOFLAGS="$(go run overlay.go DIRECTORY)" go build ...
//
// The overlay adds files to net and net/http of the Go that is there, and calls them in patched copies of their own.
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

// patches are of files below GOROOT/src; each pattern must be found once.
var patches = []patch{
	{
		"net/http/server.go",
		`(func \(sh serverHandler\) ServeHTTP\(rw ResponseWriter, req \*Request\) \{\n)`,
		"${1}\tdefer anomodServe(rw, req)()\n",
	},
	{
		"net/http/roundtrip.go",
		`\treturn t\.roundTrip\(req\)`,
		"\treq, anomodDone := anomodSend(req)\n\tresp, err := t.roundTrip(req)\n\tanomodDone(resp, err)\n\treturn resp, err",
	},
	{"net/fd_posix.go", `(type netFD struct \{\n)`, "${1}\tanomod anomodCall\n"},
	{"net/net.go", `(\tn, err := c\.fd\.Write\(b\)\n)`, "\tc.anomodWrites(b)\n${1}"},
	{"net/net.go", `(\tn, err := c\.fd\.Read\(b\)\n)`, "${1}\tc.anomodReads(b, n, err)\n"},
}

// added are our files, and the packages that they become part of.
var added = map[string]string{"anomod_agent": "net/http", "anomod_trace": "net/http", "anomod_store": "net/http", "anomod_net": "net"}

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
	root = filepath.Join(root, "src")
	if err := os.MkdirAll(directory, 0o755); err != nil {
		return "", err
	}
	texts := map[string][]byte{} // of patched files, by their place below root
	for _, one := range patches {
		source, ok := texts[one.file]
		if !ok {
			if source, err = os.ReadFile(filepath.Join(root, one.file)); err != nil {
				return "", err
			}
		}
		pattern := regexp.MustCompile(one.pattern)
		if found := len(pattern.FindAll(source, -1)); found != 1 {
			return "", fmt.Errorf("%s of %s has %d places for %s, and should have one", one.file, runtime.Version(), found, one.pattern)
		}
		texts[one.file] = pattern.ReplaceAll(source, []byte(one.replacement))
	}
	for name, to := range added {
		text, err := os.ReadFile(filepath.Join(ours, name+".go.txt"))
		if err != nil {
			return "", err
		}
		texts[to+"/zz_"+name+".go"] = text
	}
	replace := map[string]string{}
	for file, text := range texts {
		place := filepath.Join(directory, strings.ReplaceAll(file, "/", "_"))
		if err := os.WriteFile(place, text, 0o644); err != nil {
			return "", err
		}
		replace[filepath.Join(root, file)] = place
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

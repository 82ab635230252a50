// A service of few means for tests: it asks its peers over HTTP, and runs in an image that has nothing but itself.
//
//	PORT   where it listens, 8000 by default
//	PEERS  what it asks before it answers, http://b:8000,http://c:8000
package main

import (
	"fmt"
	"io"
	"net/http"
	"os"
	"strings"
	"sync/atomic"
	"time"
)

func main() {
	if len(os.Args) > 1 {
		os.Exit(run(os.Args[1:]))
	}
	port := os.Getenv("PORT")
	if port == "" {
		port = "8000"
	}
	fmt.Println("listening on " + port + " as told by " + os.Getenv("TOLD_PASSWORD"))
	http.HandleFunc("/health", func(w http.ResponseWriter, r *http.Request) { io.WriteString(w, "well\n") })
	http.HandleFunc("/metrics", metrics)
	http.HandleFunc("/", answer)
	http.ListenAndServe(":"+port, nil)
}

// One-off work: `ok`, `fail`, or `check URL` for a health check.
func run(words []string) int {
	switch words[0] {
	case "ok":
		fmt.Println("done")
		return 0
	case "check":
		got, err := http.Get(words[1])
		if err != nil || got.StatusCode >= 400 {
			return 1
		}
		return 0
	}
	fmt.Println("could not do it, password " + os.Getenv("TOLD_PASSWORD"))
	return 3
}

// A page for Prometheus: how often anything but health and metrics was asked for.
func metrics(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Content-Type", "text/plain; version=0.0.4")
	fmt.Fprintf(w, "# TYPE requests_total counter\nrequests_total %d\n", asked.Load())
}

var asked atomic.Int64

var client = http.Client{Timeout: 3 * time.Second}

func answer(w http.ResponseWriter, r *http.Request) {
	asked.Add(1)
	for _, peer := range strings.FieldsFunc(os.Getenv("PEERS"), func(c rune) bool { return c == ',' }) {
		got, err := client.Get(peer + r.URL.Path)
		if err == nil {
			io.Copy(io.Discard, got.Body)
			got.Body.Close()
		}
		if err != nil || got.StatusCode >= 400 {
			fmt.Printf("level=error msg=\"no answer of %s\" path=%s\n", peer, r.URL.Path)
			http.Error(w, "a peer failed", 502)
			return
		}
	}
	io.WriteString(w, "hello "+r.URL.Path+"\n")
}

// A service as our tests ask it: one branch or the other, a request that it sends itself, and what it asks of a store.
package main

import (
	"fmt"
	"io"
	"net"
	"net/http"
)

func size(count string) string {
	if count == "many" {
		return "many"
	}
	return "few"
}

func main() {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /sizes/{count}", func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprint(w, size(r.PathValue("count")))
	})
	mux.HandleFunc("GET /asks", func(w http.ResponseWriter, r *http.Request) {
		asked, _ := http.NewRequestWithContext(r.Context(), "GET", "http://"+r.Host+"/sizes/few", nil)
		if answer, err := http.DefaultClient.Do(asked); err == nil {
			answer.Body.Close()
		}
	})
	mux.HandleFunc("GET /keeps", func(w http.ResponseWriter, r *http.Request) {
		store, err := net.Dial("tcp", r.URL.Query().Get("at"))
		if err != nil {
			http.Error(w, err.Error(), 502)
			return
		}
		defer store.Close()
		for _, key := range []string{"good", "bad"} {
			fmt.Fprintf(store, "*3\r\n$3\r\nset\r\n$%d\r\n%s\r\n$1\r\n1\r\n", len(key), key)
			store.Read(make([]byte, 64))
		}
		io.WriteString(store, "* no command of it")
		if answer, err := http.Get("http://" + r.Host + "/sizes/few"); err == nil { // without its context
			answer.Body.Close()
		}
	})
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		panic(err)
	}
	fmt.Println(listener.Addr())
	http.Serve(listener, mux)
}

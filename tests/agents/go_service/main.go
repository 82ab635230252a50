// A service as our tests ask it: one branch or the other, and a request that it sends itself.
package main

import (
	"fmt"
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
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		panic(err)
	}
	fmt.Println(listener.Addr())
	http.Serve(listener, mux)
}

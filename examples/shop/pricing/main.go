// Pricing: what a number of pieces costs, with a discount from ten on. A quote is kept in Redis for ten minutes.
package main

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"os"
	"os/signal"
	"strconv"
	"syscall"
	"time"
)

const (
	discountPercent = 5
	discountFrom    = 10
	keptSeconds     = 600
)

// total is the price of count pieces.
func total(price, count int64) int64 {
	sum := price * count
	if count >= discountFrom {
		sum -= sum * discountPercent / 100
	}
	return sum
}

func answer(w http.ResponseWriter, status int, body any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	json.NewEncoder(w).Encode(body) // who went away meanwhile is not waited for
}

// quote makes a quote and keeps it; 503 when Redis does not take it.
func quote(store *redis, w http.ResponseWriter, r *http.Request) {
	price, err1 := strconv.ParseInt(r.URL.Query().Get("price"), 10, 32)
	count, err2 := strconv.ParseInt(r.URL.Query().Get("count"), 10, 32)
	if err1 != nil || err2 != nil || price < 0 || count < 1 {
		answer(w, http.StatusBadRequest, map[string]string{"error": "price and count must be numbers, count at least 1"})
		return
	}
	random := make([]byte, 8)
	rand.Read(random)
	id, sum := hex.EncodeToString(random), total(price, count)
	_, err := store.do("SET", "quote:"+id, strconv.FormatInt(sum, 10), "EX", strconv.Itoa(keptSeconds))
	if err != nil {
		slog.Error("quote not kept", "quote", id, "error", err)
		answer(w, http.StatusServiceUnavailable, map[string]string{"error": "quotes can't be kept"})
		return
	}
	slog.Info("quote", "id", id, "count", count, "total", sum)
	answer(w, http.StatusOK, map[string]any{"quote": id, "total": sum})
}

func env(name, otherwise string) string {
	if value := os.Getenv(name); value != "" {
		return value
	}
	return otherwise
}

func main() {
	slog.SetDefault(slog.New(slog.NewTextHandler(os.Stdout, nil)))
	store := newRedis(env("REDIS_ADDR", "127.0.0.1:6379"))
	mux := http.NewServeMux()
	mux.HandleFunc("GET /quotes", func(w http.ResponseWriter, r *http.Request) { quote(store, w, r) })
	mux.HandleFunc("GET /health", func(w http.ResponseWriter, r *http.Request) {
		answer(w, http.StatusOK, map[string]bool{"ok": true})
	})
	server := &http.Server{Addr: net.JoinHostPort(env("HOST", "127.0.0.1"), env("PORT", "9000")), Handler: mux, ReadHeaderTimeout: 10 * time.Second}
	stop, cancel := signal.NotifyContext(context.Background(), syscall.SIGTERM, syscall.SIGINT)
	defer cancel()
	go func() {
		<-stop.Done()
		server.Close()
	}()
	slog.Info("pricing listens", "address", server.Addr)
	if err := server.ListenAndServe(); !errors.Is(err, http.ErrServerClosed) {
		slog.Error("stopped", "error", err)
		os.Exit(1)
	}
}

// As much of a Redis client as pricing needs: commands over a few kept connections, each with a time limit.
package main

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"strings"
	"time"
)

const (
	patience = time.Second
	kept     = 8
)

type connection struct {
	net.Conn
	reader *bufio.Reader
}

type redis struct {
	address string
	idle    chan connection
}

// refusal is an error that Redis itself answered; the connection is good for more.
type refusal string

func (r refusal) Error() string { return string(r) }

func newRedis(address string) *redis {
	return &redis{address: address, idle: make(chan connection, kept)}
}

func (r *redis) dial() (connection, error) {
	conn, err := net.DialTimeout("tcp", r.address, patience)
	if err != nil {
		return connection{}, err
	}
	return connection{conn, bufio.NewReader(conn)}, nil
}

// do sends a command and returns the answer. A kept connection may be dead: then a new one is tried, once.
func (r *redis) do(words ...string) (string, error) {
	select {
	case conn := <-r.idle:
		answer, err := r.exchange(conn, words)
		if timeout, ok := err.(net.Error); err == nil || isRefusal(err) || ok && timeout.Timeout() {
			return answer, err
		}
	default:
	}
	conn, err := r.dial()
	if err != nil {
		return "", err
	}
	return r.exchange(conn, words)
}

// exchange keeps the connection unless it failed.
func (r *redis) exchange(conn connection, words []string) (string, error) {
	conn.SetDeadline(time.Now().Add(patience))
	answer, err := send(conn, words)
	if err != nil && !isRefusal(err) {
		conn.Close()
		return "", err
	}
	select {
	case r.idle <- conn:
	default:
		conn.Close()
	}
	return answer, err
}

// send speaks RESP: an array of bulk strings there, a simple string or an error back: pricing asks for nothing else.
func send(conn connection, words []string) (string, error) {
	var command strings.Builder
	fmt.Fprintf(&command, "*%d\r\n", len(words))
	for _, word := range words {
		fmt.Fprintf(&command, "$%d\r\n%s\r\n", len(word), word)
	}
	if _, err := io.WriteString(conn, command.String()); err != nil {
		return "", err
	}
	line, err := conn.reader.ReadString('\n')
	if err != nil {
		return "", err
	}
	text := strings.TrimRight(line[1:], "\r\n")
	switch line[0] {
	case '+':
		return text, nil
	case '-':
		return "", refusal(text)
	}
	return "", fmt.Errorf("redis answered %q", line)
}

func isRefusal(err error) bool {
	_, ok := err.(refusal)
	return ok
}

package main

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"time"
)

// plan is what the client sends, how often, and what it must get: see benches/src/client.rs.
type plan struct{ connections, requests, size, work, depth, lives, idle, pin uint64 }

func (p plan) opened() uint64 { return p.connections*p.lives + p.idle }

func planOf(order order) plan {
	return plan{
		connections: order.get("connections"),
		requests:    order.get("requests"),
		size:        order.get("size"),
		depth:       1,
		lives:       1,
		pin:         order.get("pin"),
	}
}

// echo sends back what arrives on many loopback connections, a goroutine each.
func echo(order order) (measurement, error) {
	return serve(order, planOf(order))
}

// echoCompute computes something for each request.
func echoCompute(order order) (measurement, error) {
	plan := planOf(order)
	plan.work = order.get("work")
	return serve(order, plan)
}

// echoPipelined sends back what arrives, many requests at once on each connection.
func echoPipelined(order order) (measurement, error) {
	plan := planOf(order)
	plan.depth = order.get("depth")
	return serve(order, plan)
}

// acceptChurn serves connections that end after a few requests.
func acceptChurn(order order) (measurement, error) {
	plan := planOf(order)
	plan.lives = order.get("lives")
	return serve(order, plan)
}

// idleConnections serves one connection beside very many idle ones.
func idleConnections(order order) (measurement, error) {
	return serve(order, plan{
		connections: 1,
		requests:    order.get("requests"),
		size:        order.get("size"),
		depth:       1,
		lives:       1,
		idle:        order.get("idle"),
		pin:         order.get("pin"),
	})
}

// served is what became of one connection.
type served struct {
	requests uint64
	err      error
}

func serve(order order, plan plan) (measurement, error) {
	before := lookAtFootprint()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return measurement{}, err
	}
	// As many places as there are messages, so that nobody waits who reports.
	accepted := make(chan error, plan.opened()+1)
	ended := make(chan served, plan.opened())
	go accept(listener, plan, accepted, ended)
	load, err := startLoad(order.client, listener.Addr().String(), plan)
	if err != nil {
		return measurement{}, err
	}
	defer load.end()
	if err := load.connected(); err != nil {
		return measurement{}, err
	}
	for range plan.connections + plan.idle {
		if err := <-accepted; err != nil {
			return measurement{}, err
		}
	}

	var holds *held
	if plan.idle > 0 {
		holds = heldSince(before, plan.idle)
	}
	watch := newStopwatch()
	answered, elapsed, latency, err := load.run()
	if err != nil {
		return measurement{}, err
	}
	measured := watch.stopAfter(answered, elapsed)
	measured.latency = &latency
	measured.held = holds

	// The client hangs up, and the handlers end.
	load.end()
	return measured, check(plan, answered, ended)
}

// accept starts a goroutine for each connection. Go's streams send each write at once by default.
func accept(listener net.Listener, plan plan, accepted chan<- error, ended chan<- served) {
	for range plan.opened() {
		stream, err := listener.Accept()
		accepted <- err
		if err != nil {
			ended <- served{0, err}
			return
		}
		go func() {
			requests, err := answerAll(stream, plan)
			ended <- served{requests, err}
		}()
	}
}

// answerAll answers one connection until the client hangs up. What is there is answered at once.
func answerAll(stream net.Conn, plan plan) (uint64, error) {
	defer stream.Close()
	buffer := make([]byte, plan.size*plan.depth)
	var answer [8]byte
	var requests, held uint64
	for {
		count, err := stream.Read(buffer[held:])
		held += uint64(count)
		whole := held / plan.size * plan.size
		if whole > 0 {
			reply := buffer[:whole]
			if plan.work > 0 {
				putDigest(&answer, digest(reply, plan.work))
				reply = answer[:]
			}
			if _, err := stream.Write(reply); err != nil {
				return requests, err
			}
			requests += whole / plan.size
			copy(buffer, buffer[whole:held])
			held -= whole
		}
		if errors.Is(err, io.EOF) && held == 0 {
			return requests, nil
		}
		if err != nil {
			return requests, err
		}
	}
}

// check: server and client have counted as many requests as were planned.
func check(plan plan, answered uint64, ended <-chan served) error {
	var requests uint64
	for range plan.opened() {
		served := <-ended
		if served.err != nil {
			return fmt.Errorf("cannot answer: %w", served.err)
		}
		requests += served.requests
	}
	planned := plan.connections * plan.lives * plan.requests * plan.depth
	if err := unlessEqual("the number of requests served", planned, requests); err != nil {
		return err
	}
	return unlessEqual("the number of right answers", planned, answered)
}

// digest mixes the request's bytes together, then the result with itself: see
// benches/workloads/echo_compute.rs.
func digest(request []byte, work uint64) uint64 {
	state := uint64(0x9e37_79b9_7f4a_7c15)
	for _, b := range request {
		state = mix(state ^ uint64(b))
	}
	for round := range work {
		state = mix(state ^ round)
	}
	return state
}

func mix(state uint64) uint64 {
	state ^= state >> 32
	state *= 0xd6e8_feb8_6659_fd93
	return state ^ (state >> 29)
}

func putDigest(answer *[8]byte, digest uint64) {
	for place := range answer {
		answer[place] = byte(digest >> (8 * place))
	}
}

// load is the client process. What the two say to each other is in benches/src/load.rs.
type load struct {
	process *exec.Cmd
	input   io.Writer
	output  *bufio.Reader
}

func startLoad(program, address string, plan plan) (*load, error) {
	number := func(value uint64) string { return strconv.FormatUint(value, 10) }
	process := exec.Command(program, "client",
		"--address", address,
		"--connections", number(plan.connections),
		"--requests", number(plan.requests),
		"--size", number(plan.size),
		"--work", number(plan.work),
		"--depth", number(plan.depth),
		"--lives", number(plan.lives),
		"--idle", number(plan.idle),
		"--pin", number(plan.pin))
	process.Stderr = os.Stderr
	input, err := process.StdinPipe()
	if err != nil {
		return nil, err
	}
	output, err := process.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := process.Start(); err != nil {
		return nil, fmt.Errorf("cannot start the client process: %w", err)
	}
	return &load{process, input, bufio.NewReader(output)}, nil
}

// connected waits until the client has made all its connections.
func (l *load) connected() error {
	line, err := l.line()
	if err == nil && line != "connected" {
		err = fmt.Errorf("the client failed: %s", line)
	}
	return err
}

// run lets the client send its requests, and waits until all are answered.
func (l *load) run() (uint64, time.Duration, lateness, error) {
	var latency lateness
	if _, err := io.WriteString(l.input, "go\n"); err != nil {
		return 0, 0, latency, fmt.Errorf("cannot tell the client to begin: %w", err)
	}
	line, err := l.line()
	if err != nil {
		return 0, 0, latency, err
	}
	var requests, nanoseconds uint64
	_, err = fmt.Sscanf(line, "answered %d %d %d %d %d", &requests, &nanoseconds,
		&latency.P50, &latency.P99, &latency.Last)
	if err != nil {
		return 0, 0, latency, fmt.Errorf("the client failed: %s", line)
	}
	return requests, time.Duration(nanoseconds), latency, nil
}

func (l *load) line() (string, error) {
	line, err := l.output.ReadString('\n')
	if err != nil {
		return "", fmt.Errorf("the client failed: it ended without a word")
	}
	return strings.TrimSpace(line), nil
}

// end ends the process. One that has answered has nothing left to do; a second time does nothing.
func (l *load) end() {
	_ = l.process.Process.Kill()
	_ = l.process.Wait()
}

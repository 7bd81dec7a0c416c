// The workloads of trefoil-bench, in Go: one run of one workload, whose record is printed as one
// line of JSON.
//
//	trefoil-bench-go WORKLOAD [-set KEY=VALUE]… [-client PROGRAM]
//
// It is started by trefoil-bench, which knows the defaults and limits of all parameters and sets
// each of them. On how many OS threads goroutines run is GOMAXPROCS in its environment. Every
// workload does the same as the one of that name in benches/workloads, in the idiom of Go, and
// checks its own result: a wrong one is an error with exit code 1, never a time.
//
//	main.go     arguments, and which function a workload is
//	measure.go  the stopwatch and the record
//	usage.go    what the kernel says this process has used
//	spawn.go    spawn_join, spawn_batch, primes, fib
//	skynet.go   skynet_channel, skynet_join
//	switch.go   yield, ping_pong, ring
//	sieve.go    sieve
//	share.go    mpmc, mutex
//	select.go   select
//	timers.go   timers_cancelled
//	wait.go     parked, sleepers, blocking
//	fairness.go fairness
//	server.go   echo, echo_compute
package main

import (
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"strconv"
	"strings"
)

// workloads has what there is, by name.
var workloads = map[string]func(order) (measurement, error){
	"spawn_join":       spawnJoin,
	"spawn_batch":      spawnBatch,
	"skynet_channel":   skynetChannel,
	"skynet_join":      skynetJoin,
	"yield":            yield,
	"ping_pong":        pingPong,
	"timers_cancelled": timersCancelled,
	"ring":             ring,
	"sieve":            sievePrimes,
	"mpmc":             mpmc,
	"mutex":            mutex,
	"select":           selectProdCons,
	"primes":           primes,
	"fib":              fib,
	"echo":             echo,
	"echo_compute":     echoCompute,
	"echo_pipelined":   echoPipelined,
	"idle_connections": idleConnections,
	"accept_churn":     acceptChurn,
	"blocking":         blocking,
	"parked":           parked,
	"sleepers":         sleepers,
	"fairness":         fairness,
}

// order is what a workload is told.
type order struct {
	parameters map[string]uint64
	// client is the program that plays the client of the echo workloads.
	client string
}

// get gives a parameter. trefoil-bench sets all that a workload has.
func (o order) get(name string) uint64 {
	value, set := o.parameters[name]
	if !set {
		fail(fmt.Errorf("the parameter %s is not set", name))
	}
	return value
}

func main() {
	if len(os.Args) < 2 {
		fail(fmt.Errorf("which workload? It is the first argument"))
	}
	name := os.Args[1]
	run, known := workloads[name]
	if !known {
		fail(fmt.Errorf("go cannot do %s", name))
	}
	order := order{parameters: map[string]uint64{}}
	flags := flag.NewFlagSet(name, flag.ExitOnError)
	flags.Func("set", "set a parameter, KEY=VALUE", order.set)
	flags.StringVar(&order.client, "client", "", "the program that plays the client")
	// It exits by itself if it does not understand.
	_ = flags.Parse(os.Args[2:])

	measured, err := run(order)
	if err != nil {
		fail(err)
	}
	line, err := json.Marshal(newRecord(name, order, measured))
	if err != nil {
		fail(err)
	}
	fmt.Println(string(line))
}

func (o order) set(pair string) error {
	key, text, isPair := strings.Cut(pair, "=")
	value, err := strconv.ParseUint(text, 10, 64)
	if !isPair || err != nil {
		return fmt.Errorf("%q is no KEY=VALUE with a whole number", pair)
	}
	o.parameters[key] = value
	return nil
}

// fail says why there is no record. trefoil-bench reads the line.
func fail(err error) {
	fmt.Fprintln(os.Stderr, "error:", err)
	os.Exit(1)
}

// unlessEqual gives an error unless found is what was expected.
func unlessEqual(what string, expected, found uint64) error {
	if found == expected {
		return nil
	}
	return fmt.Errorf("wrong result: %s is %d and must be %d", what, found, expected)
}

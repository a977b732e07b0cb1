// cachepusher for Go: a thin layer over libcachepusher, by cgo, and as a program an example of its use.
//
//	go run cachepusher.go 'dbname=shop'
//
// A follower: it has no Redis, and any number may run beside the daemon that has. Keeps the documents of the customer
// example in a map that stays equal to Postgres, and prints that of each id which it reads from its standard input.
//
// Results come by a queue, so that no thread of the library's ever enters Go: a goroutine that waits for the next one
// waits in Go's own poller, as for a socket. With pkg-config told of the library's directory, if need be.
package main

/*
#cgo pkg-config: cachepusher
#include <cachepusher.h>
#include <stdlib.h>
*/
import "C"

import (
	"bufio"
	"errors"
	"fmt"
	"os"
	"sync"
	"syscall"
	"unsafe"
)

// ---- the layer ----

// Document is one that has settled; Body is nil where there is none any more.
type Document struct {
	Entity, ID, Key string
	Body            []byte
}

// Result is what a syncer tells: a document, a state, or else a message of an error or a warning.
type Result struct {
	Document           *Document
	State, Why         string
	IsReady, IsStopped bool
	Message            string
}

// Follower is told of each document at the start and after each change. Next is called by one goroutine at a time,
// Stop by any.
type Follower struct {
	syncer  *C.cp_syncer
	results *C.cp_results
	file    *os.File // the queue's descriptor, for Go's poller
	poller  syscall.RawConn
}

func failure(err *C.cp_error) error {
	return errors.New(C.GoString(&err.message[0]))
}

func set(config *C.cp_config, name, value string) error {
	var err C.cp_error
	cName, cValue := C.CString(name), C.CString(value)
	defer C.free(unsafe.Pointer(cName))
	defer C.free(unsafe.Pointer(cValue))
	if C.cp_config_set(config, cName, cValue, &err) != C.CP_OK {
		return failure(&err)
	}
	return nil
}

func configure(settings map[string]string) (*C.cp_config, error) {
	var err C.cp_error
	config := C.cp_config_create(&err)
	if config == nil {
		return nil, failure(&err)
	}
	failed := set(config, "role", "follow")
	for name, value := range settings {
		if failed == nil {
			failed = set(config, name, value)
		}
	}
	if failed != nil {
		C.cp_config_destroy(config)
		return nil, failed
	}
	return config, nil
}

// watch opens a copy of the queue's descriptor, which the file may close.
func (f *Follower) watch() error {
	fd, _, errno := syscall.Syscall(syscall.SYS_FCNTL, uintptr(C.cp_results_fd(f.results)), syscall.F_DUPFD_CLOEXEC, 0)
	if errno != 0 {
		return errno
	}
	f.file = os.NewFile(fd, "results")
	poller, err := f.file.SyscallConn()
	f.poller = poller
	return err
}

// Follow starts to follow, with the settings of the configuration file, by name. What is told waits for Next: up to
// 16 MB of it, then the syncer waits, too.
func Follow(settings map[string]string) (*Follower, error) {
	var err C.cp_error
	config, failed := configure(settings)
	if failed != nil {
		return nil, failed
	}
	f := &Follower{}
	options := C.cp_results_options{size: C.sizeof_cp_results_options, when_full: C.CP_RESULTS_HOLD}
	f.results = C.cp_results_create(&options, &err)
	callbacks := C.cp_callbacks{size: C.sizeof_cp_callbacks, results: f.results}
	if f.results != nil {
		f.syncer = C.cp_syncer_create(config, &callbacks, &err) // owns config from here on
	}
	if f.syncer == nil {
		C.cp_config_destroy(config)
		f.Close()
		return nil, failure(&err)
	}
	failed = f.watch()
	if failed == nil && C.cp_syncer_start(f.syncer, &err) != C.CP_OK {
		failed = failure(&err)
	}
	if failed != nil {
		f.Close()
		return nil, failed
	}
	return f, nil
}

// translate copies what lives until the next call only.
func translate(from *C.cp_result) *Result {
	result := &Result{}
	switch from.kind {
	case C.CP_RESULT_DOCUMENT:
		d := from.document
		result.Document = &Document{Entity: C.GoString(d.entity), ID: C.GoString(d.id), Key: C.GoString(d.key)}
		if d.exists {
			result.Document.Body = C.GoBytes(unsafe.Pointer(d.document), C.int(d.bytes))
		}
	case C.CP_RESULT_STATE:
		result.State, result.Why = C.GoString(C.cp_state_name(from.health.state)), C.GoString(&from.health.why[0])
		result.IsReady, result.IsStopped = bool(from.health.ready), from.health.state == C.CP_STATE_STOPPED
	case C.CP_RESULT_LOG:
		result.Message = C.GoString(from.log.message)
	case C.CP_RESULT_DROPPED: // not of documents, before the end
		result.Message = "messages or states have been dropped"
	}
	return result
}

// Next waits for the next result. The last of all says that the follower IsStopped.
func (f *Follower) Next() (*Result, error) {
	var result *Result
	err := f.poller.Read(func(uintptr) bool { // false: again when the descriptor has become readable
		next := C.cp_results_next(f.results)
		if next != nil {
			result = translate(next)
		}
		return next != nil
	})
	return result, err
}

// Stop ends the syncer's threads. It does not start again.
func (f *Follower) Stop() {
	C.cp_syncer_stop(f.syncer, 0, nil)
}

// Close frees it. Nothing may be called afterwards, nor be under way in another goroutine.
func (f *Follower) Close() {
	if f.file != nil {
		f.file.Close()
	}
	C.cp_syncer_destroy(f.syncer)
	C.cp_results_destroy(f.results)
}

// ---- the program ----

type cache struct {
	sync.RWMutex
	documents map[string][]byte
}

// keep fills the cache until the follower has stopped.
func (c *cache) keep(follower *Follower, ready func()) {
	for {
		result, err := follower.Next()
		switch {
		case err != nil || result.IsStopped:
			return
		case result.Document != nil:
			c.Lock()
			if result.Document.Body != nil {
				c.documents[result.Document.ID] = result.Document.Body
			} else {
				delete(c.documents, result.Document.ID)
			}
			c.Unlock()
		case result.IsReady:
			ready()
		case result.Message != "":
			fmt.Fprintln(os.Stderr, result.Message)
		}
	}
}

func (c *cache) get(id string) string {
	c.RLock()
	defer c.RUnlock()
	if document, is := c.documents[id]; is {
		return string(document)
	}
	return "none"
}

func main() {
	if len(os.Args) != 2 {
		fmt.Fprintln(os.Stderr, "usage: cachepusher POSTGRES")
		os.Exit(2)
	}
	follower, err := Follow(map[string]string{"postgres": os.Args[1]})
	if err != nil {
		fmt.Fprintln(os.Stderr, "cachepusher:", err)
		os.Exit(1)
	}
	defer follower.Close()

	documents := cache{documents: map[string][]byte{}}
	var once sync.Once
	var keeper sync.WaitGroup
	ready := make(chan bool)
	keeper.Add(1)
	go func() {
		defer keeper.Done()
		documents.keep(follower, func() { once.Do(func() { close(ready) }) })
	}()
	<-ready
	fmt.Println("ready")
	for lines := bufio.NewScanner(os.Stdin); lines.Scan(); {
		fmt.Println(lines.Text(), documents.get(lines.Text()))
	}
	follower.Stop()
	keeper.Wait()
}

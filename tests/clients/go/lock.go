// go-zookeeper's lock for tests/client/shared_queue_test.py: lock HOST:PORT,... PATH SESSION-MS ROUNDS PROGRAM...
// runs PROGRAM under the lock, with its place's czxid in QUORATE_LOCK_TOKEN, until it has exited with 0 so many times, or
// standard input ends.
package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"github.com/samuel/go-zookeeper/zk"
)

type quiet struct{}

func (quiet) Printf(string, ...interface{}) {}

var errNoPlace = errors.New("the place has gone with its session")

// The lock does not say which node is its own: it is the first one of this session.
func token(conn *zk.Conn, path string) (int64, error) {
	children, _, err := conn.Children(path)
	if err != nil {
		return 0, err
	}
	session, first := conn.SessionID(), int64(0)
	for _, child := range children {
		there, stat, err := conn.Exists(path + "/" + child)
		if err != nil {
			return 0, err
		}
		if there && stat.EphemeralOwner == session && (first == 0 || stat.Czxid < first) {
			first = stat.Czxid
		}
	}
	if first == 0 {
		return 0, errNoPlace
	}
	return first, nil
}

// Whether the program exited with 0.
func run(program []string, token int64) bool {
	command := exec.Command(program[0], program[1:]...)
	command.Stdout, command.Stderr = os.Stdout, os.Stderr
	command.Env = append(os.Environ(), fmt.Sprintf("QUORATE_LOCK_TOKEN=%d", token))
	err := command.Run()
	if _, exited := err.(*exec.ExitError); err != nil && !exited {
		fmt.Fprintln(os.Stderr, "FAIL", err)
		os.Exit(1)
	}
	return err == nil
}

// One turn. After an error nobody knows what became of the place, and the session must be closed.
func turn(conn *zk.Conn, path string, program []string, rounds *int) error {
	lock := zk.NewLock(conn, path, zk.WorldACL(zk.PermAll))
	if err := lock.Lock(); err != nil {
		return err
	}
	held, err := token(conn, path)
	if err != nil {
		return err
	}
	if run(program, held) {
		*rounds--
	}
	return lock.Unlock()
}

func main() {
	if len(os.Args) < 6 {
		os.Exit(2)
	}
	servers, path, program := strings.Split(os.Args[1], ","), os.Args[2], os.Args[5:]
	session, badSession := strconv.Atoi(os.Args[3])
	rounds, badRounds := strconv.Atoi(os.Args[4])
	if badSession != nil || badRounds != nil {
		os.Exit(2)
	}
	var ending int32
	go func() {
		io.Copy(io.Discard, os.Stdin)
		atomic.StoreInt32(&ending, 1)
	}()
	for rounds > 0 && atomic.LoadInt32(&ending) == 0 {
		conn, _, err := zk.Connect(servers, time.Duration(session)*time.Millisecond, zk.WithLogger(quiet{}))
		if err != nil {
			fmt.Fprintln(os.Stderr, "FAIL", err)
			os.Exit(1)
		}
		for err == nil && rounds > 0 && atomic.LoadInt32(&ending) == 0 {
			err = turn(conn, path, program, &rounds)
		}
		conn.Close()
	}
}

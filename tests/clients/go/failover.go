// The Go client across a killed leader: failover HOST:PORT,... Each check prints a line; the exit code is the number of those that failed.
// After the line READY whoever started it kills the cluster's leader, and sends SIGUSR1 when that is done.
package main

import (
	"fmt"
	"os"
	"os/signal"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/samuel/go-zookeeper/zk"
)

const (
	limit   = 60 * time.Second
	workers = 4
	rounds  = 20
)

var (
	failures int
	open     = zk.WorldACL(zk.PermAll)
)

func check(name string, holds bool) {
	word := "PASS"
	if !holds {
		word = "FAIL"
		failures++
	}
	fmt.Println(word, name)
}

type quiet struct{}

func (quiet) Printf(string, ...interface{}) {}

func connect(servers []string) *zk.Conn {
	conn, events, err := zk.Connect(servers, 10*time.Second, zk.WithLogger(quiet{}))
	if err != nil {
		fmt.Println("FAIL connect:", err)
		os.Exit(1)
	}
	for end := time.After(limit); ; {
		select {
		case event := <-events:
			if event.State == zk.StateHasSession {
				return conn
			}
		case <-end:
			fmt.Println("FAIL connect: no session in time")
			os.Exit(1)
		}
	}
}

// Whether an answer was lost with its connection: then nobody knows what became of the request.
func lost(err error) bool {
	return err == zk.ErrConnectionClosed || err == zk.ErrNoServer || err == zk.ErrClosing
}

// Asks again while answers are lost.
func sure(ask func() error) error {
	err := ask()
	for end := time.Now().Add(limit); lost(err) && time.Now().Before(end); err = ask() {
		time.Sleep(20 * time.Millisecond)
	}
	return err
}

func main() {
	if len(os.Args) != 2 {
		os.Exit(2)
	}
	killed := make(chan os.Signal, 1)
	signal.Notify(killed, syscall.SIGUSR1)
	servers := strings.Split(os.Args[1], ",")
	base := fmt.Sprintf("/go-%d", time.Now().UnixNano())

	one, other := connect(servers), connect(servers)
	session := one.SessionID()
	_, err := one.Create(base, nil, 0, open)
	check("create", err == nil)
	_, err = one.Create(base+"/kept", nil, zk.FlagEphemeral, open)
	check("an ephemeral node", err == nil)
	_, err = one.Create(base+"/counter", []byte("0"), 0, open)
	check("a node to write", err == nil)
	other.Sync(base)
	there, _, created, err := other.ExistsW(base + "/last")
	check("a watch of another session", err == nil && !there)

	// Locks in turn, from several sessions, while the leader dies: never two inside.
	var inside, held, both int32
	var all sync.WaitGroup
	after := make(chan struct{})
	for i := 0; i < workers; i++ {
		all.Add(1)
		go func() {
			defer all.Done()
			conn := connect(servers)
			defer func() { conn.Close() }()
			for round := 0; round < rounds; {
				lock := zk.NewLock(conn, base+"/lock", open)
				if err := lock.Lock(); err != nil {
					// A node that was made all the same goes with the session.
					conn.Close()
					conn = connect(servers)
					continue
				}
				if atomic.AddInt32(&inside, 1) != 1 {
					atomic.AddInt32(&both, 1)
				}
				atomic.AddInt32(&held, 1)
				atomic.AddInt32(&inside, -1)
				if err := sure(lock.Unlock); err != nil && err != zk.ErrNoNode {
					atomic.AddInt32(&both, 1)
				}
				select {
				case <-after:
					round++
				default:
				}
			}
		}()
	}

	fmt.Println("READY")
	version := int32(0)
	write := func() bool {
		return sure(func() error {
			_, err := one.Set(base+"/counter", []byte(fmt.Sprint(version)), -1)
			return err
		}) == nil
	}
	wrote := true
	for waiting := true; waiting && wrote; {
		version++
		wrote = write()
		select {
		case <-killed:
			waiting = false
		default:
		}
	}
	close(after)
	for i := 0; i < 100 && wrote; i++ {
		version++
		wrote = write()
	}
	check("writes go on across a killed leader", wrote)
	check("in the same session", one.SessionID() == session)
	var stat *zk.Stat
	err = sure(func() error { _, stat, err = one.Exists(base + "/kept"); return err })
	check("whose node is still there", err == nil && stat != nil && stat.EphemeralOwner == session)
	var data []byte
	err = sure(func() error { data, _, err = one.Get(base + "/counter"); return err })
	check("with what was written last", err == nil && string(data) == fmt.Sprint(version))
	err = sure(func() error { _, err := one.Create(base+"/last", nil, 0, open); return err })
	check("a node for the watch", err == nil)
	select {
	case event := <-created:
		check("which is told", event.Type == zk.EventNodeCreated && event.Path == base+"/last")
	case <-time.After(limit):
		check("which is told", false)
	}
	all.Wait()
	check(fmt.Sprintf("locks went on, %d times or more, never two at once", workers*rounds), held >= workers*rounds && both == 0)
	one.Close()
	other.Close()
	os.Exit(failures)
}

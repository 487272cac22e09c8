// Goes into the copy of the Go client that tests/clients/run makes.
package zk

import "time"

// The date in `srvr`, as ZooKeeper writes it since 3.6, and as it did before.
func parseBuildTime(text string) (time.Time, error) {
	if built, err := time.Parse("2006-01-02 15:04 MST", text); err == nil {
		return built, nil
	}
	return time.Parse("01/02/2006 15:04 MST", text)
}

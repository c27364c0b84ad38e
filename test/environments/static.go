// A program that is linked to nothing: it finds itself, its descriptors and its machine through /proc, and its name servers in /etc.
package main

import (
	"fmt"
	"net"
	"os"
	"os/exec"
	"os/user"
	"runtime"
	"strings"
)

func main() {
	self, err := os.Executable()
	must(err)
	if !strings.HasSuffix(self, "/static") {
		must(fmt.Errorf("this is %q", self))
	}
	if len(os.Args) == 1 {
		fmt.Println("again")
		return
	}
	again, err := exec.Command(self).Output()
	must(err)
	if string(again) != "again\n" {
		must(fmt.Errorf("%q", again))
	}
	_, err = os.ReadFile(os.Args[1])
	must(err)
	_, err = user.Current()
	must(err)
	_, err = net.LookupHost("localhost")
	must(err)
	done := make(chan bool)
	for range make([]int, 100) {
		go func() { runtime.Gosched(); done <- true }()
	}
	for range make([]int, 100) {
		<-done
	}
}

func must(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// SPDX-License-Identifier: Apache-2.0

// Package stand runs the real service for tests: dreamapid with its sandbox on free loopback ports, and a tenant in it.
package stand

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"
)

const (
	startTime = 20 * time.Second
	stopTime  = 15 * time.Second
)

// ErrNoService: there is no dreamapid on this machine.
var ErrNoService = errors.New("no dreamapid: name it in DREAMAPI_TEST_DAEMON, or put it beside the library that pkg-config finds")

// Stand is a running service.
type Stand struct {
	// URL is where its API listens, SecretKey the tenant's.
	URL, SecretKey string

	process *exec.Cmd
	folder  string
}

func binary() (string, error) {
	if path := os.Getenv("DREAMAPI_TEST_DAEMON"); path != "" {
		return path, nil
	}
	if prefix, err := exec.Command("pkg-config", "--variable=prefix", "dreamapi").Output(); err == nil {
		path := filepath.Join(strings.TrimSpace(string(prefix)), "bin", "dreamapid")
		if _, err := os.Stat(path); err == nil {
			return path, nil
		}
	}
	path, err := exec.LookPath("dreamapid")
	if err != nil {
		return "", ErrNoService
	}
	return path, nil
}

// Start runs the service with one tenant that has these tiers, a JSON list. End it with Stop.
func Start(tiers string) (*Stand, error) {
	path, err := binary()
	if err != nil {
		return nil, err
	}
	folder, err := os.MkdirTemp("", "dreamapi-go-")
	if err != nil {
		return nil, err
	}
	stand := &Stand{folder: folder}
	if err := stand.serve(path); err != nil {
		stand.Stop()
		return nil, err
	}
	if err := stand.tenant(path, tiers); err != nil {
		stand.Stop()
		return nil, err
	}
	return stand, nil
}

func (s *Stand) serve(path string) error {
	log, err := os.Create(filepath.Join(s.folder, "serve.log"))
	if err != nil {
		return err
	}
	defer log.Close()
	serve := exec.Command(path, "serve", "--sandbox", "--free-ports", "--db", filepath.Join(s.folder, "dreamapi.db"))
	serve.Env = clean()
	serve.Stderr = log
	// Whatever becomes of the tests, the service ends with them.
	serve.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	output, err := serve.StdoutPipe()
	if err != nil {
		return err
	}
	if err := serve.Start(); err != nil {
		return err
	}
	s.process = serve
	ready := make(chan error, 1)
	go func() {
		var addresses struct{ API string }
		line, err := bufio.NewReader(output).ReadBytes('\n')
		if err == nil {
			err = json.Unmarshal(line, &addresses)
		}
		s.URL = addresses.API
		ready <- err
		_, _ = io.Copy(io.Discard, output)
	}()
	select {
	case err := <-ready:
		return err
	case <-time.After(startTime):
		return fmt.Errorf("dreamapid was not ready after %v", startTime)
	}
}

func (s *Stand) tenant(path, tiers string) error {
	file := filepath.Join(s.folder, "tiers.json")
	if err := os.WriteFile(file, []byte(`{"tiers":`+tiers+`}`), 0o600); err != nil {
		return err
	}
	create := exec.Command(path, "tenant", "create", "--db", filepath.Join(s.folder, "dreamapi.db"), "--email", "dev@example.test", "--tiers", file)
	create.Env = clean()
	var failed bytes.Buffer
	create.Stderr = &failed
	output, err := create.Output()
	if err != nil {
		return fmt.Errorf("tenant create: %w: %s", err, failed.String())
	}
	var made struct{ SecretKey string }
	if err := json.Unmarshal(output, &made); err != nil {
		return err
	}
	s.SecretKey = made.SecretKey
	return nil
}

// clean is a surrounding without any setting of the person who runs the tests.
func clean() []string {
	var kept []string
	for _, name := range []string{"PATH", "HOME", "TMPDIR", "LANG"} {
		if value, isSet := os.LookupEnv(name); isSet {
			kept = append(kept, name+"="+value)
		}
	}
	return kept
}

// Stop ends the service, by its process, and removes what it kept.
func (s *Stand) Stop() {
	if s.process != nil {
		ended := make(chan struct{})
		_ = s.process.Process.Signal(syscall.SIGTERM)
		go func() {
			_ = s.process.Wait()
			close(ended)
		}()
		select {
		case <-ended:
		case <-time.After(stopTime):
			_ = s.process.Process.Kill()
			<-ended
		}
	}
	_ = os.RemoveAll(s.folder)
}

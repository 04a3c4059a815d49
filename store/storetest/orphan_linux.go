package storetest

import (
	"os/exec"
	"syscall"
)

// dieWithParent has the kernel kill the process when this one is gone: a test binary that times out
// runs no Cleanup.
func dieWithParent(cmd *exec.Cmd) {
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
}
